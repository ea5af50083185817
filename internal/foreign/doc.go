// Package foreign opens the named stores of the settings file: S3 and OSS
// services that other parties operate, whose buckets have inventories as those of
// the embedded store have. [Parse] reads their entries, [Open] makes a [Store] of
// one: which buckets it claims, which roles may use it, and with which client a run
// lists and writes them. Each kind of store is one case of open.go.
package foreign
