"""Settings from the environment, `.env` and secret files (spec section 6), all listed in docs/settings.md."""

from service.settings.groups import (
    AdminSettings,
    BrokerSettings,
    EndpointSettings,
    LogFormat,
    LogLevel,
    LogSettings,
    RetrySettings,
    Settings,
    WorkerSettings,
)
from service.settings.loading import SettingsError, load_settings
from service.settings.masking import masked_url, public_view, secret_texts

__all__ = [
    "AdminSettings",
    "BrokerSettings",
    "EndpointSettings",
    "LogFormat",
    "LogLevel",
    "LogSettings",
    "RetrySettings",
    "Settings",
    "SettingsError",
    "WorkerSettings",
    "load_settings",
    "masked_url",
    "public_view",
    "secret_texts",
]
