// Package foreign opens the named stores of the settings file: S3 and OSS services
// whose buckets can have inventories like those of the embedded store. [Parse]
// reads the entries of the file, [Open] opens one of them as a [Store]. A Store
// knows which buckets it claims, which roles may use it, and which client a run
// lists and writes them with. Each kind of store is one case of open.go.
package foreign
