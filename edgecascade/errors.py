"""Everything that can go wrong, as one tree.

    EdgeCascadeError
    ├── InputError               what was given cannot be used            (exit 3)
    │   ├── QuestionError        empty question, unknown role
    │   ├── SamplingError        a sampling value out of range
    │   ├── SchemaError          a JSON schema or grammar that cannot be followed
    │   ├── ContextLengthError   prompt longer than the context
    │   ├── ModelNotFoundError   no model of that name or address
    │   ├── ModelFileError       not a GGUF, or a truncated or damaged one
    │   ├── ManifestError        a manifest that breaks its own rules
    │   ├── ChatTemplateError    no chat template, or one that cannot be rendered
    │   ├── QuestionFileError    a question file that breaks its own rules
    │   ├── AttemptsError        recorded attempts that cannot be fitted
    │   ├── FittedFileError      a fitted file that is damaged, of another schema, or for another model
    │   ├── ProfileError         a device profile that breaks its own rules, or none or two that fit
    │   ├── PolicyError          a pool's policy that cannot be fitted on this table, or a saved one that is damaged
    │   └── ConfigError          a setting, key or cloud that cannot be used
    │       └── KeyMissingError  a cloud that answers nobody without a key, and none is there
    ├── DeviceError              this device cannot do it now             (exit 4)
    │   ├── LibraryMissingError  llama-cpp-python is not installed
    │   ├── NativeLibraryError   the native library fails or crashes here
    │   ├── DownloadError        no network, refused, or broken off
    │   ├── ChecksumError        the bytes are not the publisher's
    │   ├── NoSpaceError         the disk is full
    │   ├── CloudError           a cloud gave no answer, or none that is one; a decision unless no tier is left
    │   ├── BudgetError          a call would cost more than is left
    │   ├── NoAnswerError        no tier that may answer could
    │   └── LedgerError          the ledger cannot be read or written
    ├── ClosedError              an engine was used after close()         (a bug in the caller)
    └── EngineBusyError          a thread asks the engine that it is still streaming from (a bug in the caller)

A message has three parts: what is wrong, found versus wanted, what to do.
"""


class EdgeCascadeError(Exception):
    """The root of every error that this package raises on purpose."""


class InputError(EdgeCascadeError):
    """What was given cannot be used."""


class QuestionError(InputError):
    """The question is empty or malformed."""


class SamplingError(InputError):
    """A sampling value is out of range."""


class SchemaError(InputError):
    """The JSON schema or grammar cannot be followed."""


class ContextLengthError(InputError):
    """The prompt does not fit into the context."""


class ModelNotFoundError(InputError):
    """No model answers to that name, path or address."""


class ModelFileError(InputError):
    """The file is not a GGUF model, or a damaged one."""


class ManifestError(InputError):
    """A model manifest breaks its own rules."""


class ChatTemplateError(InputError):
    """The model has no chat template, or one that cannot be rendered."""


class QuestionFileError(InputError):
    """A question file breaks its own rules."""


class AttemptsError(InputError):
    """Recorded attempts cannot be fitted."""


class FittedFileError(InputError):
    """A fitted file is damaged, of another schema, or for another model."""


class ProfileError(InputError):
    """A device profile breaks its own rules, or it is not clear which one is meant."""


class PolicyError(InputError):
    """A policy of a pool cannot be fitted on what was given, or a saved one cannot be used."""


class DeviceError(EdgeCascadeError):
    """This device cannot do it now."""


class LibraryMissingError(DeviceError):
    """The native library's Python package is not installed."""


class NativeLibraryError(DeviceError):
    """The native library fails or crashes on this device."""


class DownloadError(DeviceError):
    """A download could not be finished."""


class ChecksumError(DeviceError):
    """The bytes are not those that the publisher signed for."""


class NoSpaceError(DeviceError):
    """The disk is full."""


class ClosedError(EdgeCascadeError):
    """An engine was used after it was closed."""


class EngineBusyError(EdgeCascadeError):
    """A thread asks an engine again before its own earlier answer has ended."""


class ConfigError(InputError):
    """A setting, a key or a cloud's address cannot be used."""


class KeyMissingError(ConfigError):
    """A cloud answers nobody without a key, and there is none; ``variable`` is what would hold it."""

    def __init__(self, message: str, *, variable: str) -> None:
        super().__init__(message)
        self.variable = variable


class CloudError(DeviceError):
    """A cloud gave no answer, or none that is one.

    code  "offline": no server was reached; "timeout"; "deadline": the question's own was over; "rate_limit": 429;
          "server": 5xx; "refused": other 4xx; "key": 401, 403; "broken_off": the line broke in the middle;
          "protocol": no completion in the bytes; "breaker": not asked, it failed too often just now; "cancelled"
    """

    def __init__(self, message: str, *, code: str = "offline") -> None:
        super().__init__(message)
        self.code = code


class BudgetError(DeviceError):
    """A call to a cloud would cost more than is left."""


class NoAnswerError(DeviceError):
    """No tier that may answer this question could."""


class LedgerError(DeviceError):
    """The ledger cannot be read or written."""
