package rabbitmq

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Management returns the management HTTP API, as the plugin rabbitmq_management serves it on port 15672.
// Source: RabbitMQ documentation, "HTTP API Reference" (checked 2026-12-01).
func (s *Server) Management() http.Handler {
	m := &management{s}
	mux := http.NewServeMux()
	for pattern, h := range map[string]func(*request) (any, error){
		"GET /api/overview":            m.overview,
		"GET /api/cluster-name":        func(*request) (any, error) { return object{"name": nodeName}, nil },
		"GET /api/nodes":               m.nodes,
		"GET /api/nodes/{name}":        m.oneNode,
		"GET /api/whoami":              func(r *request) (any, error) { return object{"name": r.user.name, "tags": r.user.tags}, nil },
		"GET /api/extensions":          func(*request) (any, error) { return []any{}, nil },
		"GET /api/feature-flags":       func(*request) (any, error) { return []any{}, nil },
		"GET /api/parameters":          func(*request) (any, error) { return []any{}, nil },
		"GET /api/global-parameters":   func(*request) (any, error) { return []any{}, nil },
		"GET /api/topic-permissions":   func(*request) (any, error) { return []any{}, nil },
		"GET /api/deprecated-features": m.deprecatedFeatures,

		"GET /api/vhosts":                     with(m.scope, m.vhosts),
		"GET /api/vhosts/{vhost}":             with(m.vhost, m.oneVHost),
		"PUT /api/vhosts/{vhost}":             administered(m.putVHost),
		"DELETE /api/vhosts/{vhost}":          administered(with(m.vhost, m.deleteVHost)),
		"GET /api/vhosts/{vhost}/permissions": administered(m.vhostPermissions),

		"GET /api/users":                         administered(m.users),
		"GET /api/users/{user}":                  with(m.user, m.oneUser),
		"PUT /api/users/{user}":                  administered(m.putUser),
		"DELETE /api/users/{user}":               with(m.user, m.deleteUser),
		"GET /api/users/{user}/permissions":      administered(m.userPermissions),
		"GET /api/permissions":                   administered(m.permissions),
		"GET /api/permissions/{vhost}/{user}":    with(m.user, m.onePermission),
		"PUT /api/permissions/{vhost}/{user}":    administered(m.putPermission),
		"DELETE /api/permissions/{vhost}/{user}": with(m.user, m.deletePermission),

		"GET /api/exchanges":                                         with(m.scope, m.exchanges),
		"GET /api/exchanges/{vhost}":                                 with(m.scope, m.exchanges),
		"GET /api/exchanges/{vhost}/{exchange}":                      with(m.vhost, m.oneExchange),
		"PUT /api/exchanges/{vhost}/{exchange}":                      with(m.vhost, m.putExchange),
		"DELETE /api/exchanges/{vhost}/{exchange}":                   with(m.vhost, m.deleteExchange),
		"POST /api/exchanges/{vhost}/{exchange}/publish":             with(m.vhost, m.publish),
		"GET /api/exchanges/{vhost}/{exchange}/bindings/source":      with(m.vhost, m.exchangeBindings),
		"GET /api/exchanges/{vhost}/{exchange}/bindings/destination": with(m.vhost, m.exchangeBindings),

		"GET /api/queues":                             with(m.scope, m.queues),
		"GET /api/queues/{vhost}":                     with(m.scope, m.queues),
		"GET /api/queues/{vhost}/{queue}":             with(m.queue, m.oneQueue),
		"PUT /api/queues/{vhost}/{queue}":             with(m.vhost, m.putQueue),
		"DELETE /api/queues/{vhost}/{queue}":          with(m.queue, m.deleteQueue),
		"DELETE /api/queues/{vhost}/{queue}/contents": with(m.queue, m.purge),
		"GET /api/queues/{vhost}/{queue}/bindings":    with(m.queue, m.queueBindings),
		"POST /api/queues/{vhost}/{queue}/get":        with(m.queue, m.get),

		"GET /api/bindings":                                         with(m.scope, m.bindings),
		"GET /api/bindings/{vhost}":                                 with(m.scope, m.bindings),
		"GET /api/bindings/{vhost}/e/{source}/{kind}/{to}":          with(m.ends, m.bindingsBetween),
		"POST /api/bindings/{vhost}/e/{source}/{kind}/{to}":         with(m.ends, m.bind),
		"GET /api/bindings/{vhost}/e/{source}/{kind}/{to}/{key}":    with(m.binding, m.oneBinding),
		"DELETE /api/bindings/{vhost}/e/{source}/{kind}/{to}/{key}": with(m.binding, m.unbind),

		"GET /api/connections":                 with(m.scope, m.connections),
		"GET /api/connections/{name}":          with(m.connection, m.oneConnection),
		"DELETE /api/connections/{name}":       with(m.connection, m.closeConnection),
		"GET /api/connections/{name}/channels": with(m.connection, m.connectionChannels),
		"GET /api/vhosts/{vhost}/connections":  with(m.scope, m.connections),
		"GET /api/channels":                    with(m.scope, m.channels),
		"GET /api/channels/{name}":             m.oneChannel,
		"GET /api/vhosts/{vhost}/channels":     with(m.scope, m.channels),
		"GET /api/consumers":                   with(m.scope, m.consumers),
		"GET /api/consumers/{vhost}":           with(m.scope, m.consumers),

		"GET /api/policies":                     with(m.scope, m.policies),
		"GET /api/policies/{vhost}":             with(m.scope, m.policies),
		"GET /api/policies/{vhost}/{policy}":    with(m.vhost, m.onePolicy),
		"PUT /api/policies/{vhost}/{policy}":    with(m.policed, m.putPolicy),
		"DELETE /api/policies/{vhost}/{policy}": with(m.policed, m.deletePolicy),

		"GET /api/definitions":          administered(with(m.scope, m.definitions)),
		"POST /api/definitions":         administered(m.importDefinitions),
		"GET /api/definitions/{vhost}":  administered(with(m.scope, m.definitions)),
		"POST /api/definitions/{vhost}": administered(m.importDefinitions),

		"GET /api/aliveness-test/{vhost}":                     with(m.vhost, m.aliveness),
		"GET /api/health/checks/alarms":                       m.alarms,
		"GET /api/health/checks/local-alarms":                 m.alarms,
		"GET /api/health/checks/virtual-hosts":                healthy,
		"GET /api/health/checks/node-is-quorum-critical":      healthy,
		"GET /api/health/checks/is-in-service":                healthy,
		"GET /api/health/checks/ready-to-serve-clients":       healthy,
		"GET /api/health/checks/protocol-listener/{protocol}": m.protocolListener,
	} {
		mux.HandleFunc(pattern, func(w http.ResponseWriter, r *http.Request) { m.serve(w, r, h) })
	}
	mux.HandleFunc("/api/", func(w http.ResponseWriter, r *http.Request) {
		s.log.Warn("rabbitmq: no such path in the management API", "method", r.Method, "path", r.URL.Path)
		answer(w, http.StatusNotFound, object{"error": "Object Not Found", "reason": "Not Found"})
	})
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		u := *r.URL
		segments := strings.Split(strings.TrimSuffix(u.EscapedPath(), "/"), "/") // a last slash makes no difference
		for i, s := range segments {
			if strings.EqualFold(s, "%2F") { // the name of the first virtual host, which the mux takes for a last slash
				segments[i] = slashSegment
			}
		}
		u.RawPath = strings.Join(segments, "/")
		u.Path, _ = url.PathUnescape(u.RawPath) // it was unescaped before
		r = r.Clone(r.Context())
		r.URL = &u
		mux.ServeHTTP(w, r)
	})
}

const slashSegment = "%00"

// PathValue is http.Request's, with what stands for a slash made one again.
func (r *request) PathValue(name string) string {
	if v := r.Request.PathValue(name); v != "\x00" {
		return v
	}
	return "/"
}

// maxDefinitions is the largest request read, in bytes.
const maxDefinitions = 10 << 20

type management struct{ s *Server }

type object = map[string]any

// request is one that is allowed, with the server's lock held.
type request struct {
	*http.Request
	user *user
	body []byte
}

// status is an answer without a body, or an error with a reason.
type status struct {
	code   int
	reason string
}

func (s *status) Error() string { return s.reason }

var (
	created   = &status{code: http.StatusCreated}
	noContent = &status{code: http.StatusNoContent}
	missing   = &status{http.StatusNotFound, "Not Found"}
)

func badRequest(format string, args ...any) error {
	return &status{http.StatusBadRequest, fmt.Sprintf(format, args...)}
}

func (m *management) serve(w http.ResponseWriter, r *http.Request, h func(*request) (any, error)) {
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxDefinitions))
	if err != nil {
		answer(w, http.StatusRequestEntityTooLarge, object{"error": "bad_request", "reason": err.Error()})
		return
	}
	name, password, _ := r.BasicAuth()
	m.s.mu.Lock()
	defer m.s.mu.Unlock()
	u := m.s.user(name, password)
	if u == nil {
		w.Header().Set("WWW-Authenticate", `Basic realm="RabbitMQ Management"`)
		answer(w, http.StatusUnauthorized, object{"error": "not_authorized", "reason": "Login failed"})
		return
	}
	if len(u.tags) == 0 {
		answer(w, http.StatusUnauthorized, object{"error": "not_authorized", "reason": "User not authorised to access management"})
		return
	}
	out, err := h(&request{r, u, body})
	m.s.settle()
	var st *status
	var e *exception
	switch {
	case errors.As(err, &st) && st.code < 300:
		w.WriteHeader(st.code)
	case errors.As(err, &st):
		answer(w, st.code, object{"error": strings.ReplaceAll(strings.ToLower(http.StatusText(st.code)), " ", "_"), "reason": st.reason})
	case errors.As(err, &e):
		code := http.StatusBadRequest
		switch e.code {
		case accessRefused:
			code = http.StatusUnauthorized
		case notFound:
			code = http.StatusNotFound
		}
		answer(w, code, object{"error": "bad_request", "reason": e.text})
	case err != nil:
		answer(w, http.StatusBadRequest, object{"error": "bad_request", "reason": err.Error()})
	default:
		answer(w, http.StatusOK, out)
	}
}

func answer(w http.ResponseWriter, code int, body any) {
	b, err := json.Marshal(body)
	if err != nil {
		b, code = []byte(`{"error":"internal_server_error"}`), http.StatusInternalServerError
	}
	w.Header().Set("Content-Type", "application/json")
	w.Header().Set("Content-Length", strconv.Itoa(len(b)))
	w.WriteHeader(code)
	_, _ = w.Write(b) // the client may be gone
}

// with makes a handler of one that is about something: find returns it, or why it is not to be had.
func with[T any](find func(*request) (T, error), h func(*request, T) (any, error)) func(*request) (any, error) {
	return func(r *request) (any, error) {
		it, err := find(r)
		if err != nil {
			return nil, err
		}
		return h(r, it)
	}
}

// administered makes a handler that is for administrators only.
func administered(h func(*request) (any, error)) func(*request) (any, error) {
	return func(r *request) (any, error) {
		if err := r.administrator(); err != nil {
			return nil, err
		}
		return h(r)
	}
}

// administrator refuses users without that tag.
func (r *request) administrator() error {
	if !slices.Contains(r.user.tags, "administrator") {
		return &status{http.StatusUnauthorized, "User not administrator"}
	}
	return nil
}

func (r *request) decode(to any) error {
	if len(strings.TrimSpace(string(r.body))) == 0 {
		return nil
	}
	d := json.NewDecoder(strings.NewReader(string(r.body)))
	d.UseNumber()
	if err := d.Decode(to); err != nil {
		return badRequest("the body is no JSON as it should be: %v", err)
	}
	return nil
}

// vhost returns the virtual host of the path, or an error.
func (m *management) vhost(r *request) (*vhost, error) {
	v := m.s.vhosts[r.PathValue("vhost")]
	if v == nil {
		return nil, missing
	}
	if !r.sees(v.name) {
		return nil, &status{http.StatusUnauthorized, "User not authorised to access virtual host"}
	}
	return v, nil
}

// policed is vhost for who may change policies.
func (m *management) policed(r *request) (*vhost, error) {
	if !slices.Contains(r.user.tags, "policymaker") && r.administrator() != nil {
		return nil, &status{http.StatusUnauthorized, "User not policymaker"}
	}
	return m.vhost(r)
}

// scope returns the virtual hosts that a list is about: the one in the path, or all that the user may see.
func (m *management) scope(r *request) ([]*vhost, error) {
	if r.PathValue("vhost") != "" {
		v, err := m.vhost(r)
		return []*vhost{v}, err
	}
	var all []*vhost
	for _, name := range slices.Sorted(maps.Keys(m.s.vhosts)) {
		if r.sees(name) {
			all = append(all, m.s.vhosts[name])
		}
	}
	return all, nil
}

// sees says whether the user may look at a virtual host. Source: RabbitMQ documentation, "Management Plugin", permissions (checked
// 2026-12-01).
func (r *request) sees(vhost string) bool {
	_, ok := r.user.permissions[vhost]
	return ok || slices.Contains(r.user.tags, "administrator") || slices.Contains(r.user.tags, "monitoring")
}

// shown describes a list.
func shown[T any](all []T, describe func(T) object) []any {
	list := []any{}
	for _, it := range all {
		list = append(list, describe(it))
	}
	return list
}

// everywhere collects what each virtual host has.
func everywhere[T any](all []*vhost, of func(*vhost) []T) []T {
	var list []T
	for _, v := range all {
		list = append(list, of(v)...)
	}
	return list
}

// sorted returns the values of a map in the order of their names.
func sorted[T any](named map[string]T) []T {
	var values []T
	for _, name := range slices.Sorted(maps.Keys(named)) {
		values = append(values, named[name])
	}
	return values
}

// channel makes a channel that nobody consumes from, so that the API does what a client of the user's may do.
func (m *management) channel(r *request, v *vhost) *channel {
	c := newConn(m.s, nil, 0)
	c.node = m.s.first()
	c.out.over = true // what it would be told goes nowhere
	c.user, c.vhost = r.user, v
	return newChannel(c, 1)
}

func (m *management) overview(r *request) (any, error) {
	var total counters
	ready, unacked, queues, exchanges, channels, consumers := 0, 0, 0, 0, 0, 0
	for _, v := range m.s.vhosts {
		queues += len(v.queues)
		exchanges += len(v.exchanges)
		for _, q := range v.queues {
			ready += q.ready()
			unacked += q.unacked
			consumers += len(q.consumers)
			total.add(q.counters)
		}
	}
	for c := range m.s.conns {
		channels += len(c.channels)
	}
	return object{
		"management_version": Version, "rabbitmq_version": Version, "product_name": "RabbitMQ", "product_version": Version, "cluster_name": nodeName, "node": nodeName,
		"rates_mode": "basic", "erlang_version": "27", "exchange_types": kinds(),
		"object_totals": object{"connections": len(m.s.conns), "channels": channels, "exchanges": exchanges, "queues": queues, "consumers": consumers},
		"queue_totals":  object{"messages": ready + unacked, "messages_ready": ready, "messages_unacknowledged": unacked},
		"message_stats": m.s.rates.stats(total),
		"listeners": []any{
			object{"node": nodeName, "protocol": "amqp", "port": 5672, "ip_address": "127.0.0.1"},
			object{"node": nodeName, "protocol": "http", "port": 15672, "ip_address": "127.0.0.1"},
		},
		"contexts": []any{},
	}, nil
}

func kinds() []any {
	var list []any
	for _, k := range exchangeKinds {
		list = append(list, object{"name": k, "enabled": true})
	}
	return list
}

func (m *management) nodes(*request) (any, error) { return shown(m.s.nodes, m.node), nil }

func (m *management) node(n *node) object {
	return object{
		"name": n.name, "type": "disc", "running": n.up, "uptime": time.Since(m.s.started).Milliseconds(), "mem_alarm": slices.Contains(m.s.alarms, "memory"),
		"disk_free_alarm": slices.Contains(m.s.alarms, "disk"), "partitions": []any{}, "applications": []any{}, "enabled_plugins": []any{"rabbitmq_management", "rabbitmq_prometheus"},
		"rates_mode": "basic", "exchange_types": kinds(),
	}
}

func (m *management) oneNode(r *request) (any, error) {
	for _, n := range m.s.nodes {
		if n.name == r.PathValue("name") {
			return m.node(n), nil
		}
	}
	return nil, missing
}

func (m *management) deprecatedFeatures(*request) (any, error) {
	var list []any
	for _, name := range []string{GlobalQoS, TransientNonexclQueues} {
		state := "denied"
		if slices.Contains(m.s.permit, name) {
			state = "permitted"
		}
		list = append(list, object{"name": name, "deprecation_phase": "denied_by_default", "state": state})
	}
	return list, nil
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (m *management) aliveness(*request, *vhost) (any, error) { return object{"status": "ok"}, nil }

func healthy(*request) (any, error) { return object{"status": "ok"}, nil }

func (m *management) alarms(*request) (any, error) {
	if len(m.s.alarms) > 0 {
		return nil, &status{http.StatusServiceUnavailable, "alarms in effect: " + strings.Join(m.s.alarms, ", ")}
	}
	return object{"status": "ok"}, nil
}

func (m *management) protocolListener(r *request) (any, error) {
	if p := r.PathValue("protocol"); p != "amqp" && p != "http" && p != "amqp091" {
		return nil, &status{http.StatusServiceUnavailable, "No active listener for protocol " + p}
	}
	return object{"status": "ok"}, nil
}
