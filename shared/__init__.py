"""The broker. Imports point only down this list (tests/unit/test_layers.py):

    api          the HTTP edge: requests and responses, a handler per route, the OpenAPI document
    broker.py    the composition root: settings -> parts; no request runs through it
    admin        what admins may see and do: calls, transcripts, usage report, deep health check
    observer     follows one call: queue message -> lease -> sideband -> record, tools, goodbye
    calls        the life of a call: start, register, hang up, end at its limit, records, handles
    realtime     the Realtime API's contract: REST client, ephemeral keys, server events ->
                 record lines, client events
    live         the Live API's contract: REST client, sideband, server events -> turns ->
                 record lines, client events
    sideband     what the sidebands of both APIs share: connector, connection, bounded frames
    upstream     what calling any model's endpoint takes: transport, error mapping, SDP checks
    auth         who is calling, and from which origin
    limits       what a caller may use: rules, state, transactions
    credentials  how the broker authenticates: endpoint, managed identity, Key Vault, own secret
    config       settings and session profiles
    recordings   both voices of a call -> one file
    transcripts  record lines -> log -> transcript; redaction
    storage      tables, queues and logs: interfaces, in memory, Azure
    tools        server tools: registry, JSON schema from signatures, samples
    usage        tokens and prices
    core         no domain: problems, logs, clocks, deadlines, caching, batching, JSON schema

docs/architecture.md has the same map for the rest of the repository, and change recipes.
"""
