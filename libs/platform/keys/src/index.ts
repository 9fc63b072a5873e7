export { SCOPES, type AccessKey, type KeyBudget, type Scope } from './access-key.ts'
export { hashKey, type KeyRing } from './key-ring.ts'
export { readKeyFile, type KeyFile } from './read-key-file.ts'
export { watchKeyFile, type KeySource, type WatchOptions } from './watch-key-file.ts'
