"""Every option of ssh_config(5), and what becomes of it here: honoured, of no bearing, or refused.

Tables; the words stand in the reference page. An option that is in none of them is refused by name.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

HONOURED: Mapping[str, str] = MappingProxyType(
    {
        "CertificateFile": "offered before the key that it belongs to",
        "ConnectTimeout": "for this host, in place of `[ssh] connect_timeout_s`",
        "GlobalKnownHostsFile": "in place of `/etc/ssh/ssh_known_hosts`",
        "HostKeyAlias": "known hosts are asked for this name alone",
        "HostName": "what is connected to",
        "IdentitiesOnly": "of an agent's keys only those that `IdentityFile` names",
        "IdentityAgent": "in place of `SSH_AUTH_SOCK`",
        "IdentityFile": "in place of `[ssh] identity_files`; several add up",
        "IgnoreUnknown": "options of these names are left alone",
        "Include": "to a depth of 16",
        "Port": "where the inventory names none",
        "ProxyCommand": "where the inventory names no bastion",
        "ProxyJump": "where the inventory names no bastion; each hop is looked up itself",
        "User": "where the inventory names none",
        "UserKnownHostsFile": "in place of `~/.ssh/known_hosts`",
    }
)

_NOTHING_FORWARDED = "nothing is forwarded"
_NO_TERMINAL = "nobody sits at a terminal"
_OWN_TIMES = "sysfleet has its own limits of time"
_NOT_SHARED = "connections are not shared with `ssh`"
_NOTHING_WRITTEN = "no known_hosts file is written by a connection"
_NOT_LOGGED = "it is about what `ssh` itself prints and logs"
_PAST = "`ssh` itself ignores it today"

HARMLESS: Mapping[str, str] = MappingProxyType(
    {
        "AddKeysToAgent": "no key is added to an agent",
        "BatchMode": _NO_TERMINAL,
        "CanonicalDomains": "only for `CanonicalizeHostname`",
        "CanonicalizeFallbackLocal": "only for `CanonicalizeHostname`",
        "CanonicalizeMaxDots": "only for `CanonicalizeHostname`",
        "CanonicalizePermittedCNAMEs": "only for `CanonicalizeHostname`",
        "ChannelTimeout": _OWN_TIMES,
        "CheckHostIP": "a key is looked up under one name, which is the stricter way",
        "ClearAllForwardings": _NOTHING_FORWARDED,
        "Compression": "it changes the speed alone",
        "CompressionLevel": _PAST,
        "ConnectionAttempts": _OWN_TIMES,
        "ControlMaster": _NOT_SHARED,
        "ControlPath": _NOT_SHARED,
        "ControlPersist": _NOT_SHARED,
        "DynamicForward": _NOTHING_FORWARDED,
        "EnableEscapeCommandline": _NO_TERMINAL,
        "EnableSSHKeysign": "only for `HostbasedAuthentication`",
        "EscapeChar": _NO_TERMINAL,
        "ExitOnForwardFailure": _NOTHING_FORWARDED,
        "FingerprintHash": "fingerprints are shown as SHA256",
        "ForkAfterAuthentication": _NO_TERMINAL,
        "ForwardAgent": _NOTHING_FORWARDED,
        "ForwardX11": _NOTHING_FORWARDED,
        "ForwardX11Timeout": _NOTHING_FORWARDED,
        "ForwardX11Trusted": _NOTHING_FORWARDED,
        "GatewayPorts": _NOTHING_FORWARDED,
        "GSSAPIDelegateCredentials": _NOTHING_FORWARDED,
        "GSSAPIKexAlgorithms": "only for `GSSAPIKeyExchange`",
        "GSSAPIRenewalForcesRekey": "only for `GSSAPIAuthentication`",
        "GSSAPITrustDns": "only for `GSSAPIAuthentication`",
        "HashKnownHosts": _NOTHING_WRITTEN,
        "IPQoS": "it changes how packets are marked alone",
        "LocalCommand": "it is for a person's session",
        "LocalForward": _NOTHING_FORWARDED,
        "LogLevel": _NOT_LOGGED,
        "LogVerbose": _NOT_LOGGED,
        "NumberOfPasswordPrompts": "a password is tried once",
        "ObscureKeystrokeTiming": _NO_TERMINAL,
        "PermitLocalCommand": "it is for a person's session",
        "PermitRemoteOpen": _NOTHING_FORWARDED,
        "Protocol": _PAST,
        "RekeyLimit": "keys are changed at the library's own limits",
        "RemoteForward": _NOTHING_FORWARDED,
        "RequestTTY": "programs ask for a terminal where they need one",
        "RSAAuthentication": _PAST,
        "SendEnv": "programs take nothing from this machine's environment",
        "ServerAliveCountMax": _OWN_TIMES,
        "ServerAliveInterval": _OWN_TIMES,
        "SetEnv": "programs take nothing from this machine's environment",
        "StdinNull": _NO_TERMINAL,
        "StreamLocalBindMask": _NOTHING_FORWARDED,
        "StreamLocalBindUnlink": _NOTHING_FORWARDED,
        "SyslogFacility": _NOT_LOGGED,
        "Tag": "only for `Match tagged`",
        "TCPKeepAlive": _OWN_TIMES,
        "Tunnel": _NOTHING_FORWARDED,
        "TunnelDevice": _NOTHING_FORWARDED,
        "UpdateHostKeys": _NOTHING_WRITTEN,
        "UseKeychain": "keys come from files and agents",
        "UsePrivilegedPort": _PAST,
        "VersionAddendum": "it changes a greeting alone",
        "VisualHostKey": _NOT_LOGGED,
        "WarnWeakCrypto": _NOT_LOGGED,
        "XAuthLocation": _NOTHING_FORWARDED,
    }
)

# These values are what is done anyway; any other is refused.
ONLY: Mapping[str, tuple[tuple[str, ...], str]] = MappingProxyType(
    {
        "AddressFamily": (("any",), "every address of a name is tried"),
        "CanonicalizeHostname": (("no", "none"), "names are taken as they stand"),
        "ChallengeResponseAuthentication": (("yes",), "a password is given to whoever asks for it"),
        "GSSAPIAuthentication": (("no",), "there is no Kerberos here"),
        "GSSAPIKeyExchange": (("no",), "there is no Kerberos here"),
        "HostbasedAuthentication": (("no",), "hosts are not proven by this machine's key"),
        "KbdInteractiveAuthentication": (("yes",), "a password is given to whoever asks for it"),
        "KnownHostsCommand": (("none",), "host keys come from files"),
        "NoHostAuthenticationForLocalhost": (("no",), "host keys are strict"),
        "PasswordAuthentication": (("yes",), "a password is given to whoever asks for it"),
        "PKCS11Provider": (("none",), "keys come from files and agents"),
        "ProxyUseFdpass": (("no",), "a command's input and output are the connection"),
        "PubkeyAuthentication": (("yes",), "keys are offered first"),
        "RemoteCommand": (("none",), "what runs on a host is sysfleet's own"),
        "RevokedHostKeys": (("none",), "`@revoked` in known_hosts revokes"),
        "SecurityKeyProvider": (("internal",), "keys come from files and agents"),
        "SessionType": (("default",), "what runs on a host is sysfleet's own"),
        "StrictHostKeyChecking": (("yes", "ask", "true"), "host keys are strict, always"),
        "VerifyHostKeyDNS": (("no", "ask", "false"), "host keys come from files"),
    }
)

_ALGORITHMS = "algorithms are chosen here: the fastest of the safe ones, and the host key's as known_hosts has it"

REFUSED: Mapping[str, str] = MappingProxyType(
    {
        "BindAddress": "connections begin at whatever address the system gives them",
        "BindInterface": "connections begin at whatever address the system gives them",
        "CASignatureAlgorithms": _ALGORITHMS,
        "Ciphers": _ALGORITHMS,
        "HostbasedAcceptedAlgorithms": _ALGORITHMS,
        "HostKeyAlgorithms": _ALGORITHMS,
        "KexAlgorithms": _ALGORITHMS,
        "MACs": _ALGORITHMS,
        "PreferredAuthentications": "keys are offered first, then a password",
        "PubkeyAcceptedAlgorithms": _ALGORITHMS,
        "RequiredRSASize": _ALGORITHMS,
    }
)

NAMES: Mapping[str, str] = MappingProxyType({name.lower(): name for name in (*HONOURED, *HARMLESS, *ONLY, *REFUSED)})
"""Every option that is known here, by its name in lower case."""
