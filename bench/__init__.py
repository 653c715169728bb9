"""Speed against bare SSH, on a lab of this machine: `make bench`. Measures, and never judges a test."""
