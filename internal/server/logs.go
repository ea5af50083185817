package server

import (
	"context"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/stocktake/stocktake/internal/accesslog"
	"github.com/stocktake/stocktake/internal/logs"
	"github.com/stocktake/stocktake/internal/metrics"
	"github.com/stocktake/stocktake/internal/ossapi"
)

// repeatLogError is how often the log repeats that another log cannot be written.
const repeatLogError = time.Minute

// checkLogs checks the settings of logs without making a file.
func (s *Server) checkLogs() error {
	for name, path := range map[string]string{"access-log": s.cfg.AccessLog, "audit-log": s.cfg.AuditLog} {
		if path == "" || path == "-" {
			continue
		}
		if st, err := os.Stat(filepath.Dir(path)); err != nil || !st.IsDir() {
			return badSetting(name, "%s is not a folder", filepath.Dir(path))
		}
		if st, err := os.Stat(path); err == nil && st.IsDir() {
			return badSetting(name, "%s is a folder", path)
		}
	}
	return nil
}

// openLogs opens the access log and the log of changes.
func (s *Server) openLogs(counts *metrics.Metrics) error {
	dropped := map[string]func() int64{}
	s.audit = s.log
	if s.cfg.AuditLog != "" {
		file, err := s.openLog("audit-log", s.cfg.AuditLog)
		if err != nil {
			return err
		}
		s.onClose(file.Close)
		w := &auditWriter{file: file, log: s.log}
		s.audit = logs.New(w, s.cfg.LogFormat, slog.LevelInfo)
		dropped["audit"] = w.dropped.Load
	}
	if s.cfg.AccessLog != "" {
		file, err := s.openLog("access-log", s.cfg.AccessLog)
		if err != nil {
			return err
		}
		s.onClose(file.Close)
		var last time.Time // of failed, which one goroutine calls
		var lines *slog.Logger
		queue := logs.NewQueue(file, func(err error) {
			if now := time.Now(); now.Sub(last) >= repeatLogError {
				last = now
				s.log.Error("losing lines of the access log: cannot write it", "file", s.cfg.AccessLog, "err", err)
			}
		}, func(lost int64) {
			// Both logs get the line: a reader of the access log must know of the gap.
			for _, log := range []*slog.Logger{lines, s.log} {
				log.Warn("lines of the access log were lost", "lines", lost, "file", s.cfg.AccessLog)
			}
		})
		s.onClose(queue.Close)
		lines = logs.New(queue, s.cfg.LogFormat, slog.LevelInfo)
		s.accessLog = accesslog.New(lines)
		dropped["access"] = queue.Dropped
	}
	counts.Logs(dropped)
	return nil
}

func (s *Server) openLog(setting, path string) (*logs.File, error) {
	file, err := logs.Open(path)
	if err != nil {
		return nil, &SettingError{setting, err}
	}
	s.onReload(file.Reopen)
	return file, nil
}

// An auditWriter writes lines about changes synchronously, since they are few. Lines that cannot be
// written go to the log of the server, which may be on another disk.
type auditWriter struct {
	file    *logs.File
	log     *slog.Logger
	dropped atomic.Int64
}

func (w *auditWriter) Write(p []byte) (int, error) {
	n, err := w.file.Write(p)
	if err != nil {
		w.dropped.Add(1)
		w.log.Error("cannot write a line to the audit log", "line", string(p), "err", err)
	}
	return n, err
}

// observers are observers of requests, called in turn.
type observers []ossapi.Observer

// Observe implements [ossapi.Observer].
func (all observers) Observe(o ossapi.Observation) {
	for _, one := range all {
		one.Observe(o)
	}
}

// observer returns the observer of requests of the OSS API.
func (s *Server) observer(counts *metrics.Metrics) ossapi.Observer {
	all := observers{counts}
	if s.accessLog != nil {
		all = append(all, s.accessLog)
	}
	if s.cfg.Tracer != nil {
		all = append(all, spans{})
	}
	if len(all) == 1 {
		return counts
	}
	return all
}

// accessed records each request that h answers in the access log and in a span, for requests
// outside the OSS API. operation names the action.
func (s *Server) accessed(operation func(*http.Request) string, h http.Handler) http.Handler {
	if s.accessLog == nil && s.cfg.Tracer == nil {
		return h
	}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		begun := time.Now()
		from := new(sender)
		r = r.WithContext(context.WithValue(r.Context(), senderKey{}, from))
		counted := &countedWriter{ResponseWriter: w}
		defer func() {
			o := ossapi.Observation{
				Operation: operation(r), Status: counted.status, In: max(r.ContentLength, 0), Out: counted.sent, Took: time.Since(begun),
				ID: w.Header().Get("X-Oss-Request-Id"), Principal: from.principal, Bucket: r.PathValue("bucket"), Request: r, Context: r.Context(),
			}
			if s.accessLog != nil {
				s.accessLog.Observe(o)
			}
			if s.cfg.Tracer != nil {
				spans{}.Observe(o)
			}
		}()
		h.ServeHTTP(counted, r)
	})
}

// A sender is the authenticated sender of a request, set by its handler.
type sender struct{ principal string }

type senderKey struct{}

// proven sets the authenticated sender of a request for the access log.
func proven(ctx context.Context, principal string) {
	if c, ok := ctx.Value(senderKey{}).(*sender); ok {
		c.principal = principal
	}
}

// A countedWriter counts the bytes of an answer.
type countedWriter struct {
	http.ResponseWriter
	status int
	sent   int64
}

func (w *countedWriter) WriteHeader(status int) {
	if w.status == 0 {
		w.status = status
	}
	w.ResponseWriter.WriteHeader(status)
}

func (w *countedWriter) Write(p []byte) (int, error) {
	if w.status == 0 {
		w.status = http.StatusOK
	}
	n, err := w.ResponseWriter.Write(p)
	w.sent += int64(n)
	return n, err
}

// Unwrap returns the underlying writer, for http.ResponseController.
func (w *countedWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }
