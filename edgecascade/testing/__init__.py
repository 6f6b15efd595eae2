"""Doubles that behave like the real thing, for the tests of this package, and of programs that stand on it.

``ScriptedTier`` is a tier without a model. ``LoopbackCloud`` speaks the wire formats of the clouds over real sockets,
``LoopbackFiles`` serves bytes as the Hugging Face hub does; both misbehave when they are told to (``fault``,
``FAULTS``, ``Mishap``). ``gguf_bytes`` makes a model file of a few hundred bytes.
"""

from edgecascade.testing import fault
from edgecascade.testing.cloud import LoopbackCloud
from edgecascade.testing.cloud_server import CERTIFICATE
from edgecascade.testing.fault import FAULTS
from edgecascade.testing.files import LoopbackFiles, Mishap, Received
from edgecascade.testing.gguf import TINY_IDENTITY, gguf_bytes
from edgecascade.testing.replies import Reply, Request
from edgecascade.testing.tiers import ScriptedReply, ScriptedTier

__all__ = [
    "CERTIFICATE",
    "FAULTS",
    "TINY_IDENTITY",
    "LoopbackCloud",
    "LoopbackFiles",
    "Mishap",
    "Received",
    "Reply",
    "Request",
    "ScriptedReply",
    "ScriptedTier",
    "fault",
    "gguf_bytes",
]
