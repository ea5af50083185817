package console

import (
	"context"
	"fmt"
	"io"
	"mime"
	"net/http"
	"path"
	"strconv"
	"time"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/report"
)

// A shard is a data file of a report.
type shard struct {
	Number   int    `json:"number"` // from 0, in the order of the manifest
	Name     string `json:"name"`
	Size     int64  `json:"size"`
	MD5      string `json:"md5"`
	Rows     int64  `json:"rows,omitempty"`
	FirstKey string `json:"firstKey,omitempty"` // as in the file
	LastKey  string `json:"lastKey,omitempty"`
}

// shardsOfPage is how many shards a page lists.
const shardsOfPage = 100

// addFiles lists shards from the given number on.
func (d *reportData) addFiles(r *openReport, from int) {
	all := r.Manifest.Files
	from = min(from, len(all))
	for i, f := range all[from:min(from+shardsOfPage, len(all))] {
		s := shard{Number: from + i, Name: path.Base(f.Key), Size: f.Size, MD5: f.MD5}
		if r.Summary != nil && from+i < len(r.Summary.Files) {
			x := &r.Summary.Files[from+i]
			s.Rows, s.FirstKey, s.LastKey = x.Rows, keyOf(x.FirstKey), keyOf(x.LastKey)
		}
		d.Files = append(d.Files, s)
	}
	d.Next = from + len(d.Files)
	d.More = len(all) - d.Next
}

// keyOf decodes a key of a summary.
func keyOf(encoded string) string {
	key, err := report.ParseKey(encoded)
	if err != nil {
		return encoded
	}
	return string(key)
}

// downloadShard sends a data file of a report.
func (v *visit) downloadShard() (*page, error) {
	r, err := v.openReport()
	if err != nil {
		return nil, err
	}
	n, err := strconv.Atoi(v.r.PathValue("shard"))
	if err != nil || n < 0 || n >= len(r.Manifest.Files) {
		return nil, &statusError{http.StatusNotFound, "the report has no such file", ""}
	}
	f := r.Manifest.Files[n]
	body, err := r.bucket.Open(v.ctx, f.Key)
	if err != nil {
		return nil, err
	}
	defer body.Close()
	h := v.w.Header()
	h.Set("Content-Type", "application/octet-stream")
	h.Set("Content-Disposition", mime.FormatMediaType("attachment", map[string]string{"filename": path.Base(f.Key)}))
	h.Set("Content-Length", strconv.FormatInt(f.Size, 10))
	rc := http.NewResponseController(v.w)
	for sent := int64(0); sent < f.Size; {
		_ = rc.SetWriteDeadline(time.Now().Add(time.Minute)) // writers in tests may have none
		n, err := io.CopyN(v.w, body, min(1<<20, f.Size-sent))
		if sent += n; err != nil {
			// The answer has begun: abort it, so that the client sees that it is
			// incomplete.
			panic(http.ErrAbortHandler)
		}
	}
	return nil, nil
}

// verifyData is the progress of the verification of a report.
type verifyData struct {
	Stored  int64                `json:"stored"` // bytes in all
	Read    int64                `json:"read"`
	Result  *report.Verification `json:"result,omitempty"`
	Problem string               `json:"problem,omitempty"` // why it could not be verified
	Took    time.Duration        `json:"-"`
}

// verify reads a whole report, checks it against its manifest and summary, and
// sends its progress.
func (v *visit) verify() (*page, error) {
	r, err := v.openReport()
	if err != nil {
		return nil, err
	}
	select {
	case v.verifies <- struct{}{}:
		defer func() { <-v.verifies }()
	default:
		return nil, &statusError{http.StatusServiceUnavailable, "other reports are being verified", "Try again in a while, or use stocktake report verify."}
	}
	s, err := v.stream()
	if err != nil {
		return nil, err
	}
	defer s.close()
	data := &verifyData{}
	for _, f := range r.Manifest.Files {
		data.Stored += f.Size
	}
	show := func() error { return s.send(&page{Template: "report", Fragment: "verification", Data: data}) }
	if err := show(); err != nil {
		return nil, nil // the user has left
	}
	ctx, cancel := context.WithCancel(v.ctx)
	defer cancel()
	began := time.Now()
	progress := make(chan int64, 1)
	type outcome struct {
		result *report.Verification
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		result, err := report.Verify(ctx, r.bucket, r.Key, report.VerifyOptions{Workers: 1, Progress: func(stored int64) {
			select {
			case progress <- stored:
			default:
			}
		}})
		done <- outcome{result, err}
	}()
	tick := time.NewTicker(pace)
	defer tick.Stop()
	for {
		select {
		case data.Read = <-progress:
		case <-tick.C:
			if show() != nil {
				cancel()
				<-done
				return nil, nil
			}
		case o := <-done:
			data.Result, data.Took = o.result, time.Since(began)
			if o.err != nil {
				data.Problem = human.Visible(o.err.Error())
				if serr, ok := serviceError(o.err); ok {
					data.Problem = human.Visible(fmt.Sprintf("%s: %s", serr.Code, serr.Message))
				}
			}
			if err := show(); err == nil && v.ctx.Err() == nil {
				s.end()
			}
			return nil, nil
		case <-v.ended:
			cancel()
			<-done
			return nil, nil
		}
	}
}
