package format

// A TextReader is a [Reader] of a format whose rows have a text. Two rows with
// the same text, read by readers of the same columns, are the same row, so they
// can be compared without decoding them.
type TextReader interface {
	Reader

	// NextText returns the text of the next row, which is valid until the next
	// call of NextText or Next; io.EOF after the last. Other errors are those of
	// Next.
	NextText() ([]byte, error)

	// Row decodes the row whose text NextText has returned last. It may change
	// that text. Errors are those of Next.
	Row() (*Row, error)
}
