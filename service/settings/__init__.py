"""Settings from the environment, `.env` and secret files (spec section 6), all listed in docs/settings.md."""

from service.settings.groups import (
    AdminSettings,
    BrokerSettings,
    EndpointSettings,
    LedgerSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    RetrySettings,
    Settings,
    Synchronous,
    TracingSettings,
    TrackingSettings,
    WorkerSettings,
)
from service.settings.loading import SettingsError, load_broker_settings, load_settings
from service.settings.masking import MASK, masked_url, secret_texts
from service.settings.secret_file import SecretFileError, read_api_key
from service.settings.value_types import ENDPOINT_PATH, NO_LEDGER, SQLITE_SCHEME

__all__ = [
    "ENDPOINT_PATH",
    "MASK",
    "NO_LEDGER",
    "SQLITE_SCHEME",
    "AdminSettings",
    "BrokerSettings",
    "EndpointSettings",
    "LedgerSettings",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "RetrySettings",
    "SecretFileError",
    "Settings",
    "SettingsError",
    "Synchronous",
    "TracingSettings",
    "TrackingSettings",
    "WorkerSettings",
    "load_broker_settings",
    "load_settings",
    "masked_url",
    "read_api_key",
    "secret_texts",
]
