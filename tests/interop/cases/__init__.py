"""The cases. They run in the order in which they are imported here and written in their files."""
from . import streams, services, life, tool, proxy, rust  # noqa: F401
