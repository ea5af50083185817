// Package postform reads the forms of PostObject, by which browsers upload files,
// and the policies that say what a signed form may upload.
//
// Source: OSS API reference, PostObject.
package postform
