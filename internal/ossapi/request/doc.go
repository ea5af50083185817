// Package request reads requests to OSS: which bucket and key the URL names,
// which parameters it has, who signed it, which operation it asks for, and what
// its body holds. It answers nothing, and knows no store.
//
// Source: OSS API reference.
package request
