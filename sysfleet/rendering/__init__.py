"""Templates of sysctl files in, rules with exact origins out: the only package that knows Jinja2.

Refuses to know how rules of several layers add up (`policy.layers`) and what is written (`planning`).
"""

from sysfleet.rendering.templates import Templates
from sysfleet.rendering.variables import SAMPLE_FACTS, TemplateVariables

__all__ = ["SAMPLE_FACTS", "TemplateVariables", "Templates"]
