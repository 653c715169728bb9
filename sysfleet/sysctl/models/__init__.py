"""The loaders as small models, one module a program: files in their order in, writes in their order out.

Refuse to know which keys exist on a host and which values are running. kernel.md 5, 6.1 and 6.2.
"""
