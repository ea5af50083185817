package console

import (
	"bytes"
	"compress/gzip"
	"embed"
	"encoding/json"
	"fmt"
	"html/template"
	"io/fs"
	"net/http"
	"path"
	"strings"
	"sync"

	"github.com/stocktake/stocktake/internal/human"
	"github.com/stocktake/stocktake/internal/ram"
)

//go:embed templates/*.html
var templateFiles embed.FS

// pages are the templates by name. Each is one file that is parsed with the common
// ones, whose names begin with an underscore.
type pages map[string]*template.Template

func parsePages() (pages, error) {
	common, err := template.New("").Funcs(functions).ParseFS(templateFiles, "templates/_*.html")
	if err != nil {
		return nil, err
	}
	all := pages{}
	names, err := fs.Glob(templateFiles, "templates/[a-z]*.html")
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		t, err := common.Clone()
		if err != nil {
			return nil, err
		}
		if t, err = t.ParseFS(templateFiles, name); err != nil {
			return nil, err
		}
		all[strings.TrimSuffix(path.Base(name), ".html")] = t
	}
	return all, nil
}

// A page is the answer of a handler. As JSON, a page is its Data.
type page struct {
	Template string
	Title    string
	Status   int // 0: 200
	Trail    []crumb
	Data     any
	Charts   bool   // the page has charts
	Refresh  string // where the page redirects at once; empty: nowhere
	Fragment string // template of a part of the page to answer with; empty: the whole page
}

// A crumb is a parent of the current page.
type crumb struct {
	Name, Href string
}

// A view is the data of a template.
type view struct {
	*page
	Who      ram.Identity
	SignedIn bool
	CSRF     string
	Here     string // URL of the page, without format
	JSONHref string
	Account  bool // the user is the account itself, which may see machines and webhooks
}

// wantsJSON reports whether the client asks for JSON.
func (v *visit) wantsJSON() bool { return v.r.URL.Query().Get("format") == "json" }

// render answers with a page.
func (v *visit) render(p *page) {
	status := p.Status
	if status == 0 {
		status = http.StatusOK
	}
	if v.wantsJSON() {
		v.w.Header().Set("Content-Type", "application/json")
		v.w.WriteHeader(status)
		e := json.NewEncoder(v.w)
		e.SetIndent("", "  ")
		_ = e.Encode(p.Data) // an error means that the browser has disconnected
		return
	}
	if f, ok := p.Data.(failure); ok && v.r.Header.Get("HX-Request") != "" {
		http.Error(v.w, strings.TrimSpace(human.Visible(f.What)+". "+human.Visible(f.Help)), status) // console.js shows it above the page
		return
	}
	body, err := v.html(p)
	if err != nil {
		v.Log.Error("a page of the console cannot be written", "page", v.route.Name, "err", err)
		http.Error(v.w, "the page cannot be written; see the server's log", http.StatusInternalServerError)
		return
	}
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Vary", "Accept-Encoding")
	if !acceptsGzip(v.r) {
		v.w.WriteHeader(status)
		_, _ = v.w.Write(body) // an error means that the browser has disconnected
		return
	}
	h.Set("Content-Encoding", "gzip")
	v.w.WriteHeader(status)
	z := compressors.Get().(*gzip.Writer)
	defer compressors.Put(z)
	z.Reset(v.w)
	_, _ = z.Write(body) // an error means that the browser has disconnected
	_ = z.Close()
}

// compressors keeps what compresses pages: one is made of 800 KB.
var compressors = sync.Pool{New: func() any {
	z, _ := gzip.NewWriterLevel(nil, gzip.BestSpeed) // the level is valid
	return z
}}

// html renders a page as HTML, as a whole or not at all.
func (v *visit) html(p *page) ([]byte, error) {
	t := v.pages[p.Template]
	if t == nil {
		return nil, fmt.Errorf("there is no template %q", p.Template)
	}
	seen := view{page: p, Who: v.who, SignedIn: v.session != nil}
	if v.session != nil {
		seen.CSRF = v.session.CSRFToken()
		seen.Account = v.who.Kind == ram.KindAccount
	}
	here := *v.r.URL
	q := here.Query()
	q.Del("format")
	here.RawQuery = q.Encode()
	seen.Here = here.RequestURI()
	q.Set("format", "json")
	here.RawQuery = q.Encode()
	seen.JSONHref = here.RequestURI()
	name := "layout"
	if p.Fragment != "" {
		name = p.Fragment
	}
	var out bytes.Buffer
	err := t.ExecuteTemplate(&out, name, seen)
	return out.Bytes(), err
}
