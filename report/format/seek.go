package format

// A Seeker is a [Reader] of a format whose shards say where the keys lie within
// a piece.
type Seeker interface {
	Reader

	// Seek passes over rows whose keys come before key, without reading them, as far
	// as the shard has an index of them. It returns how many it has passed over. It
	// may be called between Open and the first call of Next. After an error no row
	// can be read.
	Seek(key []byte) (rows int64, err error)
}

// An Indexed is a [Reader] of a format whose shards say where their pieces begin.
type Indexed interface {
	Reader

	// HasPlace reports whether the shard that is open says that a piece begins at p.
	HasPlace(p Place) bool
}
