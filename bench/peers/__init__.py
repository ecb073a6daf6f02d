# SPDX-License-Identifier: Apache-2.0
"""What bench/compare and bench/memif are made of: anserd beside other servers, on one machine, in one run."""
