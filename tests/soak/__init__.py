"""Mixed load while things fail, and afterwards a reconciliation of everything that happened.

    python -m tests.soak [--seconds 60] [--logs hosts.log]

Two hosts with different clocks, on one Azurite, the emulator as the model's endpoint, keys in a
vault. Meanwhile upstream refuses, resets and stalls, storage and the vault become unavailable, and
each host is killed and started again. Then all faults are cleared, and everything must agree: every
request got the answer that is documented for it (or none, from a host that was killed under it);
callers, ledger, records, transcripts and emulator agree on every call; nothing is left behind.
"""
