// Package parquet implements the format of shards in Apache Parquet, for engines
// that read columns: DuckDB, Trino, Athena, Hive, Spark.
//
// A piece of a shard is a row group. The [Encoder] encodes it without knowing its
// position in the file, with all offsets relative to its first byte. The joiner
// writes the parts around row groups: the magic number, the page index and the
// footer, with absolute offsets.
//
// The encoder turns batches of records into columns, a page of each column at a
// time. It keeps a compressed row group in memory until it is closed, because a
// column must be contiguous. It writes columns without boxing values. It compresses
// hexadecimal ids as literals only: a search for matches in random digits costs
// most of the time and finds nothing that pays.
//
// The [format.Reader] reads any flat Parquet file, including those of S3 Inventory,
// over ranged reads. A file is untrusted: everything that it claims is checked
// against its size before memory is allocated for it.
//
// Source: github.com/apache/parquet-format, README.md, Encodings.md,
// PageIndex.md and parquet.thrift of version 2.11.
package parquet
