// Package ossbucket makes the buckets of an OSS service sources and destinations
// of runs: Alibaba Cloud's, or another Stocktake. It is the dialect of package
// remote for OSS: signatures of version 4, and calls of Alibaba's SDK for all but
// the pages of listings. The SDK does not repeat requests; [remote.Options] says
// what does.
package ossbucket
