// Package stocktake is the vocabulary of bucket inventory: what a user asks
// for (an [InventoryConfiguration]), what a scan sees (a [Record]), what a run
// goes through (a [Run]) and what it leaves behind (a [Manifest], a [Summary]).
//
// It holds the rules of the OSS API that need no server to be checked, each
// with its source, and imports the standard library only. Every other package
// of the module may import it.
package stocktake
