"""Mixed load while things break, and an account of all of it at the end.

    python -m tests.soak [--seconds 60] [--logs hosts.log]

Two hosts with clocks that differ, on one Azurite, the emulator as the model's endpoint, keys in a
vault. Meanwhile upstream refuses, resets and stalls, storage and the vault go away, and each host
is killed and started again. Then all is healed, and it must come out even: every request got the
answer that is documented for it (or none, from a host that was killed under it); callers, ledger,
records, transcripts and emulator tell one story; nothing is left.
"""
