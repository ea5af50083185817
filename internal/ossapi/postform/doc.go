// Package postform reads the forms with which browsers upload files (PostObject),
// and the policies that restrict what a signed form may upload.
//
// Source: OSS API reference, PostObject.
package postform
