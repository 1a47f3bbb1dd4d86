"""Three small seams to storage: `Table`, `Queue` and `Log`.

`shared.storage.azure` puts them on an Azure storage account, `shared.storage.memory` into this
process. Both keep what is written here, held together by one set of contract tests. Importing this
module loads nothing of the Azure SDK.

Every call may raise `StorageUnavailable`: storage did not answer, answered with an error of its own
or did not let us in. Nobody may read that as "nothing there". A write that ended so may still have
happened; write in a way that can be repeated.
"""
