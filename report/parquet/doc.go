// Package parquet is the format of shards in Apache Parquet, for engines that
// read columns: DuckDB, Trino, Athena, Hive, Spark.
//
// A piece of a shard is a row group. The [Encoder] makes it without knowing
// where it will stand, with all offsets relative to its first byte; the joiner
// writes what surrounds row groups: the magic number, the page index and the
// footer, with the offsets made absolute.
//
// The encoder turns batches of records into columns, a page of each column at a
// time, and keeps a row group compressed until it is closed, because a column
// must be contiguous. It writes columns without boxing values, and compresses
// hexadecimal ids as bare literals: in random digits a search for matches costs
// most of the time and finds nothing that pays.
//
// The [format.Reader] reads any flat Parquet file, ours and those of S3
// Inventory, over ranged reads. A file is a stranger: everything it claims is
// checked against its size before memory is spent on it.
//
// Source: github.com/apache/parquet-format, README.md, Encodings.md,
// PageIndex.md and parquet.thrift of version 2.11.
package parquet
