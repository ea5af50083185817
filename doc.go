// Package stocktake is the vocabulary of bucket inventory: what a user asks for (an
// [InventoryConfiguration]), what a scan sees (a [Record]), the states of a run (a [Run]) and its
// results (a [Manifest], a [Summary]).
//
// It has the rules of the OSS API that can be checked without a server, each with its source, and
// imports the standard library only. Every other package of the module may import it.
package stocktake
