"""The voice's worker process: eSpeak NG, from the `espeakng-loader` package, through ctypes.

`python -m realtime_emulator.speech.espeak_worker`, started by synthesis.py. The library is GPL-3.0
and is loaded only here, so that it is easy to leave out or replace. Structures and
constants are those of its public header, espeak-ng/speak_lib.h.
"""

from __future__ import annotations

import ctypes
from typing import Any, Final

from realtime_emulator.speech.voices import DEFAULT, FASTEST, SLOWEST, TIMBRES
from realtime_emulator.speech.worker import Answer, Handler, serve

SYNCHRONOUS: Final = 2
"""AUDIO_OUTPUT_SYNCHRONOUS: audio arrives by callback before espeak_Synth returns."""

CHARACTER: Final = 1
UTF8: Final = 1
RATE_PARAMETER, PITCH_PARAMETER, RANGE_PARAMETER = 1, 3, 4
EVENT_END_OF_LIST, EVENT_WORD = 0, 1


class EventId(ctypes.Union):
    _fields_ = (
        ("number", ctypes.c_int),
        ("name", ctypes.c_char_p),
        ("string", ctypes.c_char * 8),
    )


class Event(ctypes.Structure):
    _fields_ = (
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", EventId),
    )


Callback = ctypes.CFUNCTYPE(
    ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(Event)
)


def open_espeak() -> Handler:
    """Loads the library and its data."""
    import espeakng_loader

    library = ctypes.CDLL(espeakng_loader.get_library_path())
    data = espeakng_loader.get_data_path().encode()
    rate = library.espeak_Initialize(SYNCHRONOUS, 0, data, 0)
    if rate <= 0:
        raise OSError("eSpeak NG failed to initialise")
    pcm = bytearray()
    marks: list[tuple[int, int]] = []

    def collect(samples: Any, count: int, events: Any) -> int:
        if samples and count > 0:
            pcm.extend(ctypes.string_at(samples, 2 * count))
        index = 0
        while events[index].type != EVENT_END_OF_LIST:
            if events[index].type == EVENT_WORD:
                marks.append((events[index].text_position - 1, events[index].audio_position))
            index += 1
        return 0

    callback = Callback(collect)
    library.espeak_SetSynthCallback(callback)

    def speak(question: dict[str, Any], blob: bytes) -> Answer:  # noqa: ARG001
        pcm.clear()
        marks.clear()
        timbre = TIMBRES.get(question["voice"], DEFAULT)
        pace = round(timbre.words_per_minute * question["speed"])
        if library.espeak_SetVoiceByName(timbre.name.encode()) != 0:
            # It would speak with the voice of the request before.
            return {"error": f"there is no voice {timbre.name}"}, b""
        library.espeak_SetParameter(PITCH_PARAMETER, timbre.pitch, 0)
        library.espeak_SetParameter(RANGE_PARAMETER, timbre.range, 0)
        library.espeak_SetParameter(RATE_PARAMETER, max(SLOWEST, min(FASTEST, pace)), 0)
        # Replaced one for one: dropping a character would shift the word positions.
        text = question["text"].replace("\0", " ").encode("utf-8", "replace") + b"\0"
        library.espeak_Synth(text, len(text), 0, CHARACTER, 0, UTF8, None, None)
        return {"rate": rate, "marks": marks}, bytes(pcm)

    speak.callback = callback  # type: ignore[attr-defined]  # ctypes does not keep it alive
    return speak


if __name__ == "__main__":
    serve(open_espeak)
