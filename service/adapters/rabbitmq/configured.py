"""The way to the broker, as the settings name it."""

from service.adapters.certificates import CertificateFiles, FileNames
from service.adapters.rabbitmq.connect import LinkOptions
from service.settings import BrokerSettings


def link_options_of(broker: BrokerSettings) -> LinkOptions:
    """Tell how to reach the broker.

    Raises:
        CertificateError: a certificate file cannot be used.
    """
    certificates = broker_certificates(broker)
    # Files that cannot be used are told at the start, not by the first connection.
    certificates.context()
    return LinkOptions(
        url=broker.url,
        heartbeat=round(broker.heartbeat),
        connect_timeout=broker.connect_timeout,
        reconnect_cap=broker.reconnect_cap,
        certificates=certificates,
    )


def broker_certificates(broker: BrokerSettings) -> CertificateFiles:
    """Tell which files the settings of the broker name."""
    return CertificateFiles(FileNames.of_settings("VIDEOGEN_BROKER"), broker.ca_file, broker.cert_file, broker.key_file)
