package rabbitmq

import (
	"cmp"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq/amqp"
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

		"GET /api/vhosts":                     m.vhosts,
		"GET /api/vhosts/{vhost}":             m.oneVHost,
		"PUT /api/vhosts/{vhost}":             m.putVHost,
		"DELETE /api/vhosts/{vhost}":          m.deleteVHost,
		"GET /api/vhosts/{vhost}/permissions": m.vhostPermissions,

		"GET /api/users":                         m.users,
		"GET /api/users/{user}":                  m.oneUser,
		"PUT /api/users/{user}":                  m.putUser,
		"DELETE /api/users/{user}":               m.deleteUser,
		"GET /api/users/{user}/permissions":      m.userPermissions,
		"GET /api/permissions":                   m.permissions,
		"GET /api/permissions/{vhost}/{user}":    m.onePermission,
		"PUT /api/permissions/{vhost}/{user}":    m.putPermission,
		"DELETE /api/permissions/{vhost}/{user}": m.deletePermission,

		"GET /api/exchanges":                                         m.exchanges,
		"GET /api/exchanges/{vhost}":                                 m.exchanges,
		"GET /api/exchanges/{vhost}/{exchange}":                      m.oneExchange,
		"PUT /api/exchanges/{vhost}/{exchange}":                      m.putExchange,
		"DELETE /api/exchanges/{vhost}/{exchange}":                   m.deleteExchange,
		"POST /api/exchanges/{vhost}/{exchange}/publish":             m.publish,
		"GET /api/exchanges/{vhost}/{exchange}/bindings/source":      m.exchangeBindings,
		"GET /api/exchanges/{vhost}/{exchange}/bindings/destination": m.exchangeBindings,

		"GET /api/queues":                             m.queues,
		"GET /api/queues/{vhost}":                     m.queues,
		"GET /api/queues/{vhost}/{queue}":             m.oneQueue,
		"PUT /api/queues/{vhost}/{queue}":             m.putQueue,
		"DELETE /api/queues/{vhost}/{queue}":          m.deleteQueue,
		"DELETE /api/queues/{vhost}/{queue}/contents": m.purge,
		"GET /api/queues/{vhost}/{queue}/bindings":    m.queueBindings,
		"POST /api/queues/{vhost}/{queue}/get":        m.get,

		"GET /api/bindings":                                         m.bindings,
		"GET /api/bindings/{vhost}":                                 m.bindings,
		"GET /api/bindings/{vhost}/e/{source}/{kind}/{to}":          m.bindingsBetween,
		"POST /api/bindings/{vhost}/e/{source}/{kind}/{to}":         m.bind,
		"GET /api/bindings/{vhost}/e/{source}/{kind}/{to}/{key}":    m.oneBinding,
		"DELETE /api/bindings/{vhost}/e/{source}/{kind}/{to}/{key}": m.unbind,

		"GET /api/connections":                 m.connections,
		"GET /api/connections/{name}":          m.oneConnection,
		"DELETE /api/connections/{name}":       m.closeConnection,
		"GET /api/connections/{name}/channels": m.connectionChannels,
		"GET /api/vhosts/{vhost}/connections":  m.connections,
		"GET /api/channels":                    m.channels,
		"GET /api/channels/{name}":             m.oneChannel,
		"GET /api/vhosts/{vhost}/channels":     m.channels,
		"GET /api/consumers":                   m.consumers,
		"GET /api/consumers/{vhost}":           m.consumers,

		"GET /api/policies":                     m.policies,
		"GET /api/policies/{vhost}":             m.policies,
		"GET /api/policies/{vhost}/{policy}":    m.onePolicy,
		"PUT /api/policies/{vhost}/{policy}":    m.putPolicy,
		"DELETE /api/policies/{vhost}/{policy}": m.deletePolicy,

		"GET /api/definitions":          m.definitions,
		"POST /api/definitions":         m.importDefinitions,
		"GET /api/definitions/{vhost}":  m.definitions,
		"POST /api/definitions/{vhost}": m.importDefinitions,

		"GET /api/aliveness-test/{vhost}":                     m.aliveness,
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
	u := m.s.users[name]
	if u == nil || u.password != password || name == "" {
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
	if _, ok := r.user.permissions[v.name]; !ok && r.administrator() != nil {
		return nil, &status{http.StatusUnauthorized, "User not authorised to access virtual host"}
	}
	return v, nil
}

// scope returns the virtual hosts that a list is about: the one in the path, or all.
func (m *management) scope(r *request) ([]*vhost, error) {
	if r.PathValue("vhost") != "" {
		v, err := m.vhost(r)
		return []*vhost{v}, err
	}
	var all []*vhost
	for _, name := range slices.Sorted(maps.Keys(m.s.vhosts)) {
		all = append(all, m.s.vhosts[name])
	}
	return all, nil
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

func (m *management) nodes(*request) (any, error) {
	list := []any{}
	for _, n := range m.s.nodes {
		list = append(list, m.node(n))
	}
	return list, nil
}

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

func describeVHost(v *vhost) object {
	ready, unacked := 0, 0
	for _, q := range v.queues {
		ready += q.ready()
		unacked += q.unacked
	}
	return object{
		"name": v.name, "description": "", "tags": []any{}, "default_queue_type": classic, "tracing": false, "cluster_state": object{nodeName: "running"},
		"messages": ready + unacked, "messages_ready": ready, "messages_unacknowledged": unacked,
	}
}

func (m *management) vhosts(r *request) (any, error) {
	all, err := m.scope(r)
	list := []any{}
	for _, v := range all {
		list = append(list, describeVHost(v))
	}
	return list, err
}

func (m *management) oneVHost(r *request) (any, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	return describeVHost(v), nil
}

func (m *management) putVHost(r *request) (any, error) {
	if err := r.administrator(); err != nil {
		return nil, err
	}
	name := r.PathValue("vhost")
	if m.s.vhosts[name] != nil {
		return nil, noContent
	}
	m.s.addVHost(name)
	r.user.permissions[name] = everything // as for who adds one in the management UI
	return nil, created
}

func (m *management) deleteVHost(r *request) (any, error) {
	v, err := m.vhost(r)
	if err := cmp.Or(err, r.administrator()); err != nil {
		return nil, err
	}
	for _, c := range sortedConns(m.s) {
		if c.vhost == v {
			c.force(fmt.Sprintf("vhost '%s' is deleted", v.name))
		}
	}
	for _, q := range v.queues {
		v.deleteQueue(q)
	}
	delete(m.s.vhosts, v.name)
	for _, u := range m.s.users {
		delete(u.permissions, v.name)
	}
	return nil, noContent
}

// force tells a client that its connection ends, and cuts it.
func (c *conn) force(reason string) {
	c.out.method(0, closeMethod(fail(connectionForced, "%s", reason), amqp.ID{}))
	c.out.finish()
}

func describeUser(u *user) object {
	return object{"name": u.name, "tags": orEmpty(u.tags), "password_hash": "", "hashing_algorithm": "rabbit_password_hashing_sha256", "limits": object{}}
}

func orEmpty[T any](list []T) []T {
	if list == nil {
		return []T{}
	}
	return list
}

func (m *management) users(r *request) (any, error) {
	if err := r.administrator(); err != nil {
		return nil, err
	}
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(m.s.users)) {
		list = append(list, describeUser(m.s.users[name]))
	}
	return list, nil
}

func (m *management) user(r *request) (*user, error) {
	if err := r.administrator(); err != nil {
		return nil, err
	}
	if u := m.s.users[r.PathValue("user")]; u != nil {
		return u, nil
	}
	return nil, missing
}

func (m *management) oneUser(r *request) (any, error) {
	u, err := m.user(r)
	if err != nil {
		return nil, err
	}
	return describeUser(u), nil
}

// userJSON is a user as requests and definitions give it. Tags are a text with commas, or a list.
type userJSON struct {
	Name     string  `json:"name"`
	Password *string `json:"password"`
	Tags     any     `json:"tags"`
}

func (j userJSON) tags() []string {
	var tags []string
	switch t := j.Tags.(type) {
	case string:
		for tag := range strings.SplitSeq(t, ",") {
			if tag = strings.TrimSpace(tag); tag != "" {
				tags = append(tags, tag)
			}
		}
	case []any:
		for _, tag := range t {
			tags = append(tags, fmt.Sprint(tag))
		}
	}
	return tags
}

func (m *management) putUser(r *request) (any, error) {
	var in userJSON
	if err := cmp.Or(r.administrator(), r.decode(&in)); err != nil {
		return nil, err
	}
	in.Name = r.PathValue("user")
	return nil, m.s.setUser(in)
}

func (s *Server) setUser(in userJSON) error {
	u, result := s.users[in.Name], noContent
	if u == nil {
		if in.Password == nil {
			return badRequest("key_missing: password")
		}
		u, result = &user{name: in.Name, permissions: map[string]permission{}}, created
		s.users[in.Name] = u
	}
	if in.Password != nil {
		u.password = *in.Password
	}
	u.tags = in.tags()
	return result
}

func (m *management) deleteUser(r *request) (any, error) {
	u, err := m.user(r)
	if err != nil {
		return nil, err
	}
	delete(m.s.users, u.name)
	for _, c := range sortedConns(m.s) {
		if c.user == u {
			c.force("user '" + u.name + "' is deleted")
		}
	}
	return nil, noContent
}

func describePermission(u *user, vhost string) object {
	p := u.permissions[vhost]
	return object{"user": u.name, "vhost": vhost, "configure": p.configure.String(), "write": p.write.String(), "read": p.read.String()}
}

func (m *management) permissionsWhere(r *request, fits func(u *user, vhost string) bool) (any, error) {
	if err := r.administrator(); err != nil {
		return nil, err
	}
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(m.s.users)) {
		u := m.s.users[name]
		for _, vhost := range slices.Sorted(maps.Keys(u.permissions)) {
			if fits(u, vhost) {
				list = append(list, describePermission(u, vhost))
			}
		}
	}
	return list, nil
}

func (m *management) permissions(r *request) (any, error) {
	return m.permissionsWhere(r, func(*user, string) bool { return true })
}

func (m *management) userPermissions(r *request) (any, error) {
	return m.permissionsWhere(r, func(u *user, _ string) bool { return u.name == r.PathValue("user") })
}

func (m *management) vhostPermissions(r *request) (any, error) {
	return m.permissionsWhere(r, func(_ *user, vhost string) bool { return vhost == r.PathValue("vhost") })
}

func (m *management) onePermission(r *request) (any, error) {
	u, err := m.user(r)
	if err != nil {
		return nil, err
	}
	if _, ok := u.permissions[r.PathValue("vhost")]; !ok {
		return nil, missing
	}
	return describePermission(u, r.PathValue("vhost")), nil
}

type permissionJSON struct {
	User      string  `json:"user"`
	VHost     string  `json:"vhost"`
	Configure *string `json:"configure"`
	Write     *string `json:"write"`
	Read      *string `json:"read"`
}

func (m *management) putPermission(r *request) (any, error) {
	var in permissionJSON
	if err := cmp.Or(r.administrator(), r.decode(&in)); err != nil {
		return nil, err
	}
	in.User, in.VHost = r.PathValue("user"), r.PathValue("vhost")
	return nil, m.s.setPermission(in)
}

func (s *Server) setPermission(in permissionJSON) error {
	u := s.users[in.User]
	if u == nil || s.vhosts[in.VHost] == nil {
		return badRequest("no such user or virtual host: %s, %s", in.User, in.VHost)
	}
	var p permission
	for _, part := range []struct {
		name string
		from *string
		to   **regexp.Regexp
	}{{"configure", in.Configure, &p.configure}, {"write", in.Write, &p.write}, {"read", in.Read, &p.read}} {
		if part.from == nil {
			return badRequest("key_missing: %s", part.name)
		}
		pattern := *part.from
		if pattern == "" {
			pattern = "^$"
		}
		re, err := regexp.Compile(pattern)
		if err != nil {
			return badRequest("%s: %v", part.name, err)
		}
		*part.to = re
	}
	_, had := u.permissions[in.VHost]
	u.permissions[in.VHost] = p
	if had {
		return noContent
	}
	return created
}

func (m *management) deletePermission(r *request) (any, error) {
	u, err := m.user(r)
	if err != nil {
		return nil, err
	}
	delete(u.permissions, r.PathValue("vhost"))
	return nil, noContent
}

func describeExchange(x *exchange) object {
	o := object{
		"name": x.name, "vhost": x.vhost.name, "type": x.kind, "durable": x.durable, "auto_delete": x.autoDelete, "internal": x.internal,
		"arguments": jsonTable(x.arguments), "user_who_performed_action": "",
	}
	if p := x.vhost.policyFor("exchanges", x.name); p != nil {
		o["policy"] = p.name
	}
	if x.counters != (counters{}) {
		o["message_stats"] = object{"publish_in": x.counters.publishIn, "publish_out": x.counters.publishOut}
	}
	return o
}

func (m *management) exchanges(r *request) (any, error) {
	all, err := m.scope(r)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, v := range all {
		for _, name := range slices.Sorted(maps.Keys(v.exchanges)) {
			list = append(list, describeExchange(v.exchanges[name]))
		}
	}
	return list, nil
}

// exchangeName is the name in the path. The default exchange, which has none, is amq.default there.
func exchangeName(s string) string {
	if s == "amq.default" {
		return ""
	}
	return s
}

func (m *management) oneExchange(r *request) (any, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	x := v.exchanges[exchangeName(r.PathValue("exchange"))]
	if x == nil {
		return nil, missing
	}
	return describeExchange(x), nil
}

type exchangeJSON struct {
	Name       string         `json:"name"`
	VHost      string         `json:"vhost"`
	Type       string         `json:"type"`
	Durable    *bool          `json:"durable"`
	AutoDelete bool           `json:"auto_delete"`
	Internal   bool           `json:"internal"`
	Arguments  map[string]any `json:"arguments"`
}

func (m *management) putExchange(r *request) (any, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	in := exchangeJSON{Type: "direct"}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	in.Name = r.PathValue("exchange")
	return nil, m.declareExchange(m.channel(r, v), in)
}

func (m *management) declareExchange(ch *channel, in exchangeJSON) error {
	had := ch.vhost.exchanges[in.Name] != nil
	if e := ch.declareExchange(amqp.ExchangeDeclare{
		Exchange: in.Name, Type: in.Type, Durable: in.Durable == nil || *in.Durable, AutoDelete: in.AutoDelete, Internal: in.Internal, Arguments: fieldTable(in.Arguments),
	}); e != nil {
		return e
	}
	if had {
		return noContent
	}
	return created
}

func (m *management) deleteExchange(r *request) (any, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	name := r.PathValue("exchange")
	if v.exchanges[name] == nil {
		return nil, missing
	}
	if e := m.channel(r, v).deleteExchange(amqp.ExchangeDelete{Exchange: name, IfUnused: r.URL.Query().Get("if-unused") == "true"}); e != nil {
		return nil, e
	}
	return nil, noContent
}

func (m *management) publish(r *request) (any, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		RoutingKey      string         `json:"routing_key"`
		Payload         string         `json:"payload"`
		PayloadEncoding string         `json:"payload_encoding"`
		Properties      propertiesJSON `json:"properties"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	body := []byte(in.Payload)
	switch in.PayloadEncoding {
	case "base64":
		if body, err = base64.StdEncoding.DecodeString(in.Payload); err != nil {
			return nil, badRequest("payload: %v", err)
		}
	case "string", "":
	default:
		return nil, badRequest("unsupported_encoding: %s", in.PayloadEncoding)
	}
	name := exchangeName(r.PathValue("exchange"))
	ch := m.channel(r, v)
	if e := ch.publish(amqp.BasicPublish{Exchange: name, RoutingKey: in.RoutingKey}); e != nil {
		return nil, e
	}
	p := ch.incoming
	p.message = &message{exchange: name, keys: []string{in.RoutingKey}, properties: in.Properties.properties(), body: body, ttl: -1}
	routed := len(p.exchange.route(p.message)) > 0
	if e := ch.arrived(p); e != nil {
		return nil, e
	}
	return object{"routed": routed}, nil
}

func (m *management) exchangeBindings(r *request) (any, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	name := exchangeName(r.PathValue("exchange"))
	if v.exchanges[name] == nil {
		return nil, missing
	}
	asSource := strings.HasSuffix(r.URL.Path, "/source")
	return describeBindings(v, func(source, destination, kind string) bool {
		return asSource && source == name || !asSource && kind == "exchange" && destination == name
	}), nil
}

func describeQueue(q *queueState) object {
	o := object{
		"name": q.name, "vhost": q.vhost.name, "type": q.kind, "durable": q.durable, "auto_delete": q.autoDelete, "exclusive": q.exclusive, "arguments": jsonTable(q.arguments),
		"node": nodeName, "state": "running", "messages": q.ready() + q.unacked, "messages_ready": q.ready(), "messages_unacknowledged": q.unacked,
		"message_bytes_ready": q.bytes, "consumers": len(q.consumers), "consumer_utilisation": nil, "policy": nil, "effective_policy_definition": object{},
		"message_stats": q.rates.stats(q.counters),
	}
	if q.log != nil {
		o["message_bytes_ready"] = q.log.bytes
	}
	if o["node"] = ""; q.home != nil {
		o["node"] = q.home.name
	}
	if !q.available() {
		o["state"] = map[bool]string{true: "down", false: "minority"}[q.kind == classic]
	}
	if q.kind != classic {
		members, online := []string{}, []string{}
		for _, n := range q.vhost.s.nodes {
			if members = append(members, n.name); n.up {
				online = append(online, n.name)
			}
		}
		o["leader"], o["members"], o["online"] = o["node"], members, online
	}
	if q.policy != nil {
		o["policy"], o["effective_policy_definition"] = q.policy.name, q.policy.definition
	}
	if q.singleActive && q.active != nil {
		o["single_active_consumer_tag"] = q.active.tag
	}
	return o
}

func (m *management) queues(r *request) (any, error) {
	all, err := m.scope(r)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, v := range all {
		for _, name := range slices.Sorted(maps.Keys(v.queues)) {
			list = append(list, describeQueue(v.queues[name]))
		}
	}
	return list, nil
}

func (m *management) queue(r *request) (*queueState, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	if q := v.queues[r.PathValue("queue")]; q != nil {
		return q, nil
	}
	return nil, missing
}

func (m *management) oneQueue(r *request) (any, error) {
	q, err := m.queue(r)
	if err != nil {
		return nil, err
	}
	o := describeQueue(q)
	list := []any{}
	for _, k := range q.consumers {
		list = append(list, describeConsumer(k))
	}
	o["consumer_details"] = list
	return o, nil
}

type queueJSON struct {
	Name       string         `json:"name"`
	VHost      string         `json:"vhost"`
	Durable    *bool          `json:"durable"`
	AutoDelete bool           `json:"auto_delete"`
	Arguments  map[string]any `json:"arguments"`
}

func (m *management) putQueue(r *request) (any, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	var in queueJSON
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	in.Name = r.PathValue("queue")
	return nil, m.declareQueue(m.channel(r, v), in)
}

func (m *management) declareQueue(ch *channel, in queueJSON) error {
	had := ch.vhost.queues[in.Name] != nil
	if e := ch.declareQueue(amqp.QueueDeclare{Queue: in.Name, Durable: in.Durable == nil || *in.Durable, AutoDelete: in.AutoDelete, Arguments: fieldTable(in.Arguments)}); e != nil {
		return e
	}
	if had {
		return noContent
	}
	return created
}

func (m *management) deleteQueue(r *request) (any, error) {
	q, err := m.queue(r)
	if err != nil {
		return nil, err
	}
	query := r.URL.Query()
	if e := m.channel(r, q.vhost).deleteQueue(amqp.QueueDelete{Queue: q.name, IfUnused: query.Get("if-unused") == "true", IfEmpty: query.Get("if-empty") == "true"}); e != nil {
		return nil, e
	}
	return nil, noContent
}

func (m *management) purge(r *request) (any, error) {
	q, err := m.queue(r)
	if err != nil {
		return nil, err
	}
	if e := m.channel(r, q.vhost).purgeQueue(amqp.QueuePurge{Queue: q.name}); e != nil {
		return nil, e
	}
	return nil, noContent
}

func (m *management) queueBindings(r *request) (any, error) {
	q, err := m.queue(r)
	if err != nil {
		return nil, err
	}
	return describeBindings(q.vhost, func(_, destination, kind string) bool { return kind == "queue" && destination == q.name }), nil
}

// get takes messages off a queue, to look at: with ackmode ack_requeue_true they go back at once.
func (m *management) get(r *request) (any, error) {
	q, err := m.queue(r)
	if err != nil {
		return nil, err
	}
	var in struct {
		Count    json.Number `json:"count"`
		AckMode  string      `json:"ackmode"`
		Encoding string      `json:"encoding"`
		Truncate json.Number `json:"truncate"`
	}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	count, err := in.Count.Int64()
	if err != nil {
		return nil, badRequest("key_missing: count")
	}
	modes := []string{"ack_requeue_true", "reject_requeue_true", "ack_requeue_false", "reject_requeue_false"}
	if !slices.Contains(modes, in.AckMode) {
		return nil, badRequest("ackmode: one of %v", modes)
	}
	ch := m.channel(r, q.vhost)
	list := []any{}
	for range count {
		before := len(ch.unacked)
		if e := ch.get(amqp.BasicGet{Queue: q.name}); e != nil {
			return nil, e
		}
		if len(ch.unacked) == before {
			break
		}
		d := ch.unacked[ch.tags]
		payload, encoding := string(d.entry.message.body), "string"
		if in.Encoding == "base64" || !utf8.ValidString(payload) {
			payload, encoding = base64.StdEncoding.EncodeToString(d.entry.message.body), "base64"
		}
		if n, err := in.Truncate.Int64(); err == nil && n >= 0 && int64(len(payload)) > n {
			payload = payload[:n]
		}
		list = append(list, object{
			"payload": payload, "payload_encoding": encoding, "payload_bytes": len(d.entry.message.body), "redelivered": d.entry.back, "exchange": d.entry.message.exchange,
			"routing_key": d.entry.message.keys[0], "message_count": q.ready(), "properties": jsonProperties(d.entry.shown(q)),
		})
	}
	switch in.AckMode {
	case "ack_requeue_false":
		_ = ch.ack(amqp.BasicAck{Multiple: true}) // tag 0: all there are
	case "reject_requeue_false":
		_ = ch.reject(0, true, false, rejected)
	case "reject_requeue_true":
		_ = ch.reject(0, true, true, rejected)
	default:
		_ = ch.reject(0, true, true, nacked)
	}
	return list, nil
}

// bindingKey names a binding in a path: its routing key, and its arguments' hash if it has any.
func (b *binding) propertiesKey() string {
	if len(b.arguments) == 0 {
		if b.key == "" {
			return "~"
		}
		return url.QueryEscape(b.key)
	}
	text, _ := json.Marshal(jsonTable(b.arguments))
	return url.QueryEscape(b.key) + "~" + base64.RawURLEncoding.EncodeToString(text)
}

func describeBinding(b *binding) object {
	kind := "queue"
	if b.queue == nil {
		kind = "exchange"
	}
	return object{
		"source": b.source.name, "vhost": b.source.vhost.name, "destination": b.destination(), "destination_type": kind, "routing_key": b.key,
		"arguments": jsonTable(b.arguments), "properties_key": b.propertiesKey(),
	}
}

// describeBindings lists those that fit, the default exchange's to every queue included.
func describeBindings(v *vhost, fits func(source, destination, kind string) bool) []any {
	list := []any{}
	for _, name := range slices.Sorted(maps.Keys(v.queues)) {
		if fits("", name, "queue") {
			list = append(list, object{
				"source": "", "vhost": v.name, "destination": name, "destination_type": "queue", "routing_key": name, "arguments": object{}, "properties_key": url.QueryEscape(name),
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(v.exchanges)) {
		for _, b := range v.exchanges[name].bindings {
			o := describeBinding(b)
			if fits(name, b.destination(), o["destination_type"].(string)) {
				list = append(list, o)
			}
		}
	}
	return list
}

func (m *management) bindings(r *request) (any, error) {
	all, err := m.scope(r)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, v := range all {
		list = append(list, describeBindings(v, func(_, _, _ string) bool { return true })...)
	}
	return list, nil
}

// between reads from a path which exchange binds to what.
func (m *management) between(r *request) (v *vhost, source, destination, kind string, err error) {
	v, err = m.vhost(r)
	if err != nil {
		return nil, "", "", "", err
	}
	kind = map[string]string{"q": "queue", "e": "exchange"}[r.PathValue("kind")]
	if kind == "" {
		return nil, "", "", "", missing
	}
	return v, exchangeName(r.PathValue("source")), r.PathValue("to"), kind, nil
}

func (m *management) bindingsBetween(r *request) (any, error) {
	v, source, destination, kind, err := m.between(r)
	if err != nil {
		return nil, err
	}
	return describeBindings(v, func(s, d, k string) bool { return s == source && d == destination && k == kind }), nil
}

type bindingJSON struct {
	Source          string         `json:"source"`
	VHost           string         `json:"vhost"`
	Destination     string         `json:"destination"`
	DestinationType string         `json:"destination_type"`
	RoutingKey      string         `json:"routing_key"`
	Arguments       map[string]any `json:"arguments"`
}

func (m *management) bind(r *request) (any, error) {
	v, source, destination, kind, err := m.between(r)
	if err != nil {
		return nil, err
	}
	in := bindingJSON{}
	if err := r.decode(&in); err != nil {
		return nil, err
	}
	in.Source, in.Destination, in.DestinationType = source, destination, kind
	if err := m.addBinding(m.channel(r, v), in); err != nil {
		return nil, err
	}
	return nil, created
}

func (m *management) addBinding(ch *channel, in bindingJSON) error {
	var e *exception
	if in.DestinationType == "exchange" {
		e = ch.bindExchange(amqp.ExchangeBind{Source: in.Source, Destination: in.Destination, RoutingKey: in.RoutingKey, Arguments: fieldTable(in.Arguments)})
	} else {
		e = ch.bindQueue(amqp.QueueBind{Exchange: in.Source, Queue: in.Destination, RoutingKey: in.RoutingKey, Arguments: fieldTable(in.Arguments)})
	}
	if e != nil {
		return e
	}
	return nil
}

func (m *management) binding(r *request) (*binding, error) {
	v, source, destination, kind, err := m.between(r)
	if err != nil {
		return nil, err
	}
	if x := v.exchanges[source]; x != nil {
		for _, b := range x.bindings {
			if b.destination() == destination && (b.queue != nil) == (kind == "queue") && b.propertiesKey() == r.PathValue("key") {
				return b, nil
			}
		}
	}
	return nil, missing
}

func (m *management) oneBinding(r *request) (any, error) {
	b, err := m.binding(r)
	if err != nil {
		return nil, err
	}
	return describeBinding(b), nil
}

func (m *management) unbind(r *request) (any, error) {
	b, err := m.binding(r)
	if err != nil {
		return nil, err
	}
	b.remove()
	return nil, noContent
}

// name is how lists call a connection: by its two ends.
func (c *conn) name() string {
	if c.net == nil {
		return ""
	}
	return fmt.Sprintf("%v -> %v #%d", c.net.RemoteAddr(), c.net.LocalAddr(), c.id)
}

func (ch *channel) name() string { return fmt.Sprintf("%s (%d)", ch.conn.name(), ch.number) }

func describeConnection(c *conn) object {
	o := object{
		"name": c.name(), "node": nodeName, "vhost": "", "user": "", "protocol": "AMQP 0-9-1", "state": "starting", "channels": len(c.channels), "channel_max": c.channelMax,
		"frame_max": c.frameMax, "timeout": int(c.heartbeat.Seconds()), "client_properties": jsonTable(c.properties), "connected_at": c.since.UnixMilli(), "type": "network",
		"auth_mechanism": "PLAIN", "ssl": false,
	}
	if c.opened {
		o["vhost"], o["user"], o["state"] = c.vhost.name, c.user.name, "running"
	}
	if c.blocked != nil {
		o["state"] = "blocked"
	}
	if s, ok := c.properties["connection_name"].(string); ok {
		o["user_provided_name"] = s
	}
	return o
}

func (m *management) connections(r *request) (any, error) {
	list := []any{}
	for _, c := range sortedConns(m.s) {
		if v := r.PathValue("vhost"); v == "" || c.vhost != nil && c.vhost.name == v {
			list = append(list, describeConnection(c))
		}
	}
	return list, nil
}

func (m *management) connection(r *request) (*conn, error) {
	for c := range m.s.conns {
		if c.name() == r.PathValue("name") {
			return c, nil
		}
	}
	return nil, missing
}

func (m *management) oneConnection(r *request) (any, error) {
	c, err := m.connection(r)
	if err != nil {
		return nil, err
	}
	return describeConnection(c), nil
}

func (m *management) closeConnection(r *request) (any, error) {
	c, err := m.connection(r)
	if err != nil {
		return nil, err
	}
	c.force(cmp.Or(r.Header.Get("X-Reason"), "Closed via management plugin"))
	return nil, noContent
}

func describeChannel(ch *channel) object {
	return object{
		"name": ch.name(), "number": ch.number, "node": nodeName, "vhost": ch.vhost.name, "user": ch.conn.user.name, "state": "running", "confirm": ch.confirming,
		"transactional": ch.tx != nil, "prefetch_count": ch.prefetch, "global_prefetch_count": 0, "consumer_count": len(ch.consumers), "messages_unacknowledged": len(ch.unacked),
		"messages_unconfirmed": 0, "connection_details": object{"name": ch.conn.name()},
	}
}

func sortedChannels(c *conn) []*channel {
	return slices.SortedFunc(maps.Values(c.channels), func(x, y *channel) int { return int(x.number) - int(y.number) })
}

func (m *management) channels(r *request) (any, error) {
	list := []any{}
	for _, c := range sortedConns(m.s) {
		for _, ch := range sortedChannels(c) {
			if v := r.PathValue("vhost"); v == "" || ch.vhost.name == v {
				list = append(list, describeChannel(ch))
			}
		}
	}
	return list, nil
}

func (m *management) connectionChannels(r *request) (any, error) {
	c, err := m.connection(r)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, ch := range sortedChannels(c) {
		list = append(list, describeChannel(ch))
	}
	return list, nil
}

func (m *management) oneChannel(r *request) (any, error) {
	for c := range m.s.conns {
		for _, ch := range c.channels {
			if ch.name() == r.PathValue("name") {
				return describeChannel(ch), nil
			}
		}
	}
	return nil, missing
}

func describeConsumer(k *consumer) object {
	status := "up"
	if k.queue.singleActive && k.queue.active != k {
		status = "waiting"
	}
	return object{
		"consumer_tag": k.tag, "queue": object{"name": k.queue.name, "vhost": k.queue.vhost.name}, "ack_required": !k.noAck, "exclusive": k.exclusive, "prefetch_count": k.prefetch,
		"active": status == "up", "activity_status": map[string]string{"up": "up", "waiting": "waiting"}[status], "arguments": jsonTable(k.arguments),
		"channel_details": object{"name": k.channel.name(), "number": k.channel.number, "connection_name": k.channel.conn.name(), "user": k.channel.conn.user.name, "node": nodeName},
	}
}

func (m *management) consumers(r *request) (any, error) {
	all, err := m.scope(r)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, v := range all {
		for _, name := range slices.Sorted(maps.Keys(v.queues)) {
			for _, k := range v.queues[name].consumers {
				list = append(list, describeConsumer(k))
			}
		}
	}
	return list, nil
}

func describePolicy(v *vhost, p *policy) object {
	return object{"vhost": v.name, "name": p.name, "pattern": p.pattern.String(), "apply-to": p.applyTo, "priority": p.priority, "definition": p.definition}
}

func (m *management) policies(r *request) (any, error) {
	all, err := m.scope(r)
	if err != nil {
		return nil, err
	}
	list := []any{}
	for _, v := range all {
		for _, name := range slices.Sorted(maps.Keys(v.policies)) {
			list = append(list, describePolicy(v, v.policies[name]))
		}
	}
	return list, nil
}

func (m *management) onePolicy(r *request) (any, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	if p := v.policies[r.PathValue("policy")]; p != nil {
		return describePolicy(v, p), nil
	}
	return nil, missing
}

type policyJSON struct {
	VHost      string         `json:"vhost"`
	Name       string         `json:"name"`
	Pattern    *string        `json:"pattern"`
	ApplyTo    string         `json:"apply-to"`
	Priority   int            `json:"priority"`
	Definition map[string]any `json:"definition"`
}

func (m *management) putPolicy(r *request) (any, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	var in policyJSON
	if err := json.Unmarshal(r.body, &in); err != nil {
		return nil, badRequest("the body is no JSON as it should be: %v", err)
	}
	in.Name = r.PathValue("policy")
	return nil, v.setPolicy(in)
}

// policyKeys are what a policy may define, by what it applies to.
var policyKeys = []string{
	"message-ttl", "expires", "max-length", "max-length-bytes", "overflow", "dead-letter-exchange", "dead-letter-routing-key", "dead-letter-strategy",
	"delivery-limit", "max-age", "alternate-exchange", "queue-leader-locator",
}

func (v *vhost) setPolicy(in policyJSON) error {
	if in.Pattern == nil {
		return badRequest("key_missing: pattern")
	}
	if len(in.Definition) == 0 {
		return badRequest("Validation failed\n\nno policy provided")
	}
	for key := range in.Definition {
		if !slices.Contains(policyKeys, key) {
			return badRequest("Validation failed\n\n[{<<\"%s\">>}] are not recognised policy settings", key)
		}
		a, ok := queueArguments["x-"+key]
		if !ok {
			continue
		}
		value := in.Definition[key]
		if n, ok := value.(float64); ok {
			value = int64(n)
		}
		if problem := a.check(value); problem != "" {
			return badRequest("Validation failed\n\n%s: %s", key, problem)
		}
	}
	re, err := regexp.Compile(*in.Pattern)
	if err != nil {
		return badRequest("Validation failed\n\npattern: %v", err)
	}
	applyTo := cmp.Or(in.ApplyTo, "all")
	if !slices.Contains([]string{"all", "queues", "exchanges", "classic_queues", "quorum_queues", "streams"}, applyTo) {
		return badRequest("Validation failed\n\napply-to '%s' not recognised", applyTo)
	}
	_, had := v.policies[in.Name]
	v.policies[in.Name] = &policy{in.Name, re, applyTo, in.Priority, in.Definition}
	v.policiesChanged()
	if had {
		return noContent
	}
	return created
}

// policiesChanged lets every queue see what holds for it now.
func (v *vhost) policiesChanged() {
	for _, q := range v.queues {
		q.configure()
		q.use()
		v.s.touch(q)
	}
}

func (m *management) deletePolicy(r *request) (any, error) {
	v, err := m.vhost(r)
	if err != nil {
		return nil, err
	}
	if v.policies[r.PathValue("policy")] == nil {
		return nil, missing
	}
	delete(v.policies, r.PathValue("policy"))
	v.policiesChanged()
	return nil, noContent
}

// definitionsJSON is all that is declared, without messages.
type definitionsJSON struct {
	RabbitVersion string           `json:"rabbit_version,omitempty"`
	Users         []userJSON       `json:"users,omitempty"`
	VHosts        []object         `json:"vhosts,omitempty"`
	Permissions   []permissionJSON `json:"permissions,omitempty"`
	Policies      []policyJSON     `json:"policies"`
	Exchanges     []exchangeJSON   `json:"exchanges"`
	Queues        []queueJSON      `json:"queues"`
	Bindings      []bindingJSON    `json:"bindings"`
}

func (m *management) definitions(r *request) (any, error) {
	all, err := m.scope(r)
	if err != nil {
		return nil, err
	}
	d := definitionsJSON{RabbitVersion: Version, Policies: []policyJSON{}, Exchanges: []exchangeJSON{}, Queues: []queueJSON{}, Bindings: []bindingJSON{}}
	yes := true
	if r.PathValue("vhost") == "" {
		for _, name := range slices.Sorted(maps.Keys(m.s.users)) {
			u := m.s.users[name]
			d.Users = append(d.Users, userJSON{Name: u.name, Password: &u.password, Tags: orEmpty(u.tags)})
			for _, v := range slices.Sorted(maps.Keys(u.permissions)) {
				p := u.permissions[v]
				c, w, rd := p.configure.String(), p.write.String(), p.read.String()
				d.Permissions = append(d.Permissions, permissionJSON{u.name, v, &c, &w, &rd})
			}
		}
	}
	for _, v := range all {
		d.VHosts = append(d.VHosts, object{"name": v.name})
		for _, name := range slices.Sorted(maps.Keys(v.policies)) {
			p := v.policies[name]
			pattern := p.pattern.String()
			d.Policies = append(d.Policies, policyJSON{v.name, p.name, &pattern, p.applyTo, p.priority, p.definition})
		}
		for _, name := range slices.Sorted(maps.Keys(v.exchanges)) {
			x := v.exchanges[name]
			if notPredefined(name) == nil && x.durable {
				d.Exchanges = append(d.Exchanges, exchangeJSON{name, v.name, x.kind, &yes, x.autoDelete, x.internal, jsonTable(x.arguments)})
			}
			for _, b := range x.bindings {
				if x.durable && (b.queue == nil || b.queue.durable && !b.queue.exclusive) {
					o := describeBinding(b)
					d.Bindings = append(d.Bindings, bindingJSON{name, v.name, b.destination(), o["destination_type"].(string), b.key, jsonTable(b.arguments)})
				}
			}
		}
		for _, name := range slices.Sorted(maps.Keys(v.queues)) {
			if q := v.queues[name]; q.durable && !q.exclusive {
				d.Queues = append(d.Queues, queueJSON{name, v.name, &yes, q.autoDelete, jsonTable(q.arguments)})
			}
		}
	}
	return d, nil
}

// importDefinitions adds what definitions name. What is there stays; it stops at what contradicts it.
func (m *management) importDefinitions(r *request) (any, error) {
	if err := r.administrator(); err != nil {
		return nil, err
	}
	var d definitionsJSON
	if err := json.Unmarshal(r.body, &d); err != nil {
		return nil, badRequest("the body is no JSON as it should be: %v", err)
	}
	only := r.PathValue("vhost")
	place := func(name string) (*vhost, error) {
		v := m.s.vhosts[cmp.Or(only, name)]
		if v == nil {
			return nil, badRequest("no such virtual host: %s", cmp.Or(only, name))
		}
		return v, nil
	}
	failed := func(err error) bool {
		var st *status
		return err != nil && (!errors.As(err, &st) || st.code >= 300)
	}
	if only == "" {
		for _, v := range d.VHosts {
			if name, ok := v["name"].(string); ok && m.s.vhosts[name] == nil {
				m.s.addVHost(name)
				r.user.permissions[name] = everything
			}
		}
		for _, u := range d.Users {
			if err := m.s.setUser(u); failed(err) {
				return nil, err
			}
		}
		for _, p := range d.Permissions {
			if err := m.s.setPermission(p); failed(err) {
				return nil, err
			}
		}
	}
	for _, p := range d.Policies {
		v, err := place(p.VHost)
		if err == nil {
			err = v.setPolicy(p)
		}
		if failed(err) {
			return nil, err
		}
	}
	for _, x := range d.Exchanges {
		v, err := place(x.VHost)
		if err == nil {
			err = m.declareExchange(m.channel(r, v), x)
		}
		if failed(err) {
			return nil, err
		}
	}
	for _, q := range d.Queues {
		v, err := place(q.VHost)
		if err == nil {
			err = m.declareQueue(m.channel(r, v), q)
		}
		if failed(err) {
			return nil, err
		}
	}
	for _, b := range d.Bindings {
		v, err := place(b.VHost)
		if err == nil && b.Source != "" {
			err = m.addBinding(m.channel(r, v), b)
		}
		if failed(err) {
			return nil, err
		}
	}
	return nil, noContent
}

func (m *management) aliveness(r *request) (any, error) {
	if _, err := m.vhost(r); err != nil {
		return nil, err
	}
	return object{"status": "ok"}, nil
}

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
