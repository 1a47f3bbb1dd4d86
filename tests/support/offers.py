"""The smallest SDP offer that the broker accepts, and what it is made of."""

from __future__ import annotations

from typing import Final

HEAD: Final = "v=0\r\no=- 1 1 IN IP4 127.0.0.1\r\ns=-\r\nt=0 0\r\n"
AUDIO: Final = "m=audio 9 UDP/TLS/RTP/SAVPF 111\r\na=rtpmap:111 opus/48000/2\r\n"
CHANNEL: Final = "m=application 9 UDP/DTLS/SCTP webrtc-datachannel\r\na=sctp-port:5000\r\n"
OFFER: Final = (HEAD + AUDIO + CHANNEL).encode()
