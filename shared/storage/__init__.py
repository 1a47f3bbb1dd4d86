"""Storage: three small interfaces, `Table`, `Queue` and `Log`, and what implements them.

`shared.storage.azure` implements them on an Azure storage account, `shared.storage.memory` in this
process; one set of contract tests holds both to the same behaviour. Importing this package loads
nothing of the Azure SDK. What a start waits for is sent without the SDK's pipeline
(`azure_requests`).

Every call may raise `StorageUnavailable`: storage did not answer, answered with an error of its own
or refused the broker's identity. Never take that for "nothing there". A write that ended so may
have been made all the same, so every write must be safe to repeat.
"""
