# SPDX-License-Identifier: Apache-2.0
"""A TLS client that says whatever it is told: any bytes as its certificates, any key as the proof, any protocol.

Through GnuTLS itself, whose library is there because the daemon needs it. And a server that lets everybody in, to
show that a check of refusals finds one that is missing.
"""

import contextlib
import ctypes
import ctypes.util
import functools
import socket
import ssl
import struct
import tempfile
import threading
import warnings
from pathlib import Path

import pki

CLIENT, NO_SIGNAL = 2, 1 << 6
CREDENTIALS, X509, PEM, SERVER_NAME = 1, 1, 1, 1
FATAL_ALERT, AGAIN, INTERRUPTED = -12, -28, -52
PRIORITY = "NORMAL:+VERS-TLS-ALL:-VERS-DTLS-ALL:+SIGN-ALL:+SHA1:%VERIFY_ALLOW_BROKEN:%PROFILE_VERY_WEAK"


class Datum(ctypes.Structure):
    _fields_ = (("data", ctypes.c_void_p), ("size", ctypes.c_uint))


class Certificate(ctypes.Structure):
    """gnutls_pcert_st"""
    _fields_ = (("pubkey", ctypes.c_void_p), ("cert", Datum), ("type", ctypes.c_int))


RETRIEVE = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int, ctypes.c_void_p, ctypes.c_int,
    ctypes.POINTER(ctypes.POINTER(Certificate)), ctypes.POINTER(ctypes.c_uint), ctypes.POINTER(ctypes.c_void_p))


@functools.cache
def gnutls():
    library = ctypes.CDLL(ctypes.util.find_library("gnutls"))
    library.gnutls_strerror.restype = ctypes.c_char_p
    library.gnutls_alert_get_name.restype = ctypes.c_char_p
    library.gnutls_record_recv.restype = ctypes.c_ssize_t
    library.gnutls_record_send.restype = ctypes.c_ssize_t
    return library


class Failed(OSError):
    """The handshake or the connection ended."""


def call(name, *arguments):
    """A call whose negative answers are errors; pointers as c_void_p."""
    code = getattr(gnutls(), name)(*arguments)
    if code < 0:
        raise Failed(f"{name}: {gnutls().gnutls_strerror(code).decode()}")
    return code


class Client:
    """A connection after the handshake. `chain`: DER of each certificate to send; `key`: the key of the proof."""

    def __init__(self, port, chain=(), key=None, priority=PRIORITY, server_name=None, source=None, timeout=5):
        self.session, self.credentials, self.private = ctypes.c_void_p(), ctypes.c_void_p(), ctypes.c_void_p()
        self.public, self.received = ctypes.c_void_p(), b""
        self.chain = [ctypes.create_string_buffer(der, len(der)) for der in chain]
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=timeout,
                                               source_address=(source, 0) if source else None)
        self.socket.setblocking(True)
        for option in (socket.SO_RCVTIMEO, socket.SO_SNDTIMEO):
            self.socket.setsockopt(socket.SOL_SOCKET, option, struct.pack("ll", timeout, 0))
        try:
            self.prepare(key, priority, server_name)
            self.shake()
        except BaseException:
            self.close()
            raise

    def prepare(self, key, priority, server_name):
        call("gnutls_init", ctypes.byref(self.session), CLIENT | NO_SIGNAL)
        call("gnutls_priority_set_direct", self.session, priority.encode(), None)
        call("gnutls_certificate_allocate_credentials", ctypes.byref(self.credentials))
        if self.chain:
            self.take_key(key)
            self.retrieve = RETRIEVE(self.give_certificates)  # kept: GnuTLS calls it later
            gnutls().gnutls_certificate_set_retrieve_function2(self.credentials, self.retrieve)
        call("gnutls_credentials_set", self.session, CREDENTIALS, self.credentials)
        if server_name is not None:
            call("gnutls_server_name_set", self.session, SERVER_NAME, server_name, ctypes.c_size_t(len(server_name)))
        gnutls().gnutls_transport_set_int2(self.session, self.socket.fileno(), self.socket.fileno())

    def take_key(self, key):
        pem = pki.pem_of_key(key)
        buffer = ctypes.create_string_buffer(pem, len(pem))
        datum = Datum(ctypes.addressof(buffer), len(pem))
        call("gnutls_privkey_init", ctypes.byref(self.private))
        call("gnutls_privkey_import_x509_raw", self.private, ctypes.byref(datum), PEM, None, 0)
        call("gnutls_pubkey_init", ctypes.byref(self.public))
        call("gnutls_pubkey_import_privkey", self.public, self.private, 0, 0)
        self.certificates = (Certificate * len(self.chain))(*(
            Certificate(self.public, Datum(ctypes.addressof(der), len(der)), X509) for der in self.chain))

    def give_certificates(self, _session, _names, _count, _algorithms, _algorithm_count, certificates, count, key):
        certificates[0] = ctypes.cast(self.certificates, ctypes.POINTER(Certificate))
        count[0] = len(self.chain)
        key[0] = self.private.value
        return 0

    def shake(self):
        code = AGAIN
        for _ in range(3):
            if code in (AGAIN, INTERRUPTED):
                code = gnutls().gnutls_handshake(self.session)
        if code < 0:
            raise Failed(self.why(code))

    def why(self, code):
        if code == FATAL_ALERT:
            return gnutls().gnutls_alert_get_name(gnutls().gnutls_alert_get(self.session)).decode()
        return gnutls().gnutls_strerror(code).decode()

    def renegotiate(self, chain, key):
        """A second handshake on the same connection, as somebody else. A server may leave it unanswered."""
        self.first = self.certificates, self.chain  # GnuTLS may still look at them
        self.chain = [ctypes.create_string_buffer(der, len(der)) for der in chain]
        self.take_key(key)
        self.shake()

    def send(self, data):
        code = gnutls().gnutls_record_send(self.session, data, ctypes.c_size_t(len(data)))
        if code < 0:
            raise Failed(self.why(code))

    def receive(self):
        """What comes next; b"" at the end."""
        buffer = ctypes.create_string_buffer(16384)
        code = AGAIN
        for _ in range(3):  # "again" after a session ticket, and after the timeout
            if code == AGAIN:
                code = gnutls().gnutls_record_recv(self.session, buffer, ctypes.c_size_t(len(buffer)))
        if code < 0:
            raise Failed(self.why(code))
        return buffer.raw[:code]

    def close(self):
        if self.session:
            gnutls().gnutls_deinit(self.session)
        if self.credentials:
            gnutls().gnutls_certificate_free_credentials(self.credentials)
        # GnuTLS frees the key that the callback gave with the session
        self.socket.close()

    def __enter__(self):
        return self

    def __exit__(self, *exc):
        self.close()


@contextlib.contextmanager
def server(handle):
    """A server on a port of its own that asks nobody for a certificate; `handle` has each connection. Gives the port
    and the CA of its certificate."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.set_ciphers("ALL:@SECLEVEL=0")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # of TLS 1.0
        context.minimum_version = ssl.TLSVersion.TLSv1
    with tempfile.TemporaryDirectory(prefix="cs", dir="/tmp") as directory:
        authority = pki.Authority()
        identity = authority.issue("server", usage=(pki.SERVER,), hosts=("127.0.0.1",))
        context.load_cert_chain(*identity.write(Path(directory), "server"))
    listening = socket.create_server(("127.0.0.1", 0))

    def serve(raw):
        with contextlib.suppress(OSError), context.wrap_socket(raw, server_side=True) as tls:
            handle(tls)

    def accept():
        with contextlib.suppress(OSError):
            while True:
                raw = listening.accept()[0]
                raw.settimeout(10)
                threading.Thread(target=serve, args=(raw,), daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield listening.getsockname()[1], authority
    finally:
        listening.shutdown(socket.SHUT_RDWR)
        listening.close()
