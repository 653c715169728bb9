"""What sysctl keys, values and files mean: to the kernel, and to the loaders that apply files at boot.

Pure: knows no host, no policy and no clock.
"""
