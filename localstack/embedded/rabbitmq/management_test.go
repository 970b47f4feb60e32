package rabbitmq_test

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	client "github.com/rabbitmq/amqp091-go"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/rabbitmq"
)

// api is the management API as one user uses it.
type api struct {
	t              *testing.T
	s              *rabbitmq.Server
	user, password string
}

// do makes a request, wants a status, and returns the answer.
func (a api) do(want int, method, path string, body any) any {
	a.t.Helper()
	text := ""
	switch body := body.(type) {
	case nil:
	case string:
		text = body
	default:
		b, err := json.Marshal(body)
		must(a.t, err)
		text = string(b)
	}
	r := httptest.NewRequest(method, path, strings.NewReader(text))
	r.SetBasicAuth(a.user, a.password)
	w := httptest.NewRecorder()
	a.s.Management().ServeHTTP(w, r)
	if w.Code != want {
		a.t.Fatalf("%s %s as %s: status %d, want %d: %s", method, path, a.user, w.Code, want, w.Body)
	}
	var answer any
	if w.Body.Len() > 0 {
		must(a.t, json.Unmarshal(w.Body.Bytes(), &answer))
	}
	return answer
}

// names of what a list holds.
func names(list any) []string {
	var names []string
	for _, e := range list.([]any) {
		names = append(names, fmt.Sprint(e.(map[string]any)["name"]))
	}
	slices.Sort(names)
	return names
}

func TestManagementUsers(t *testing.T) {
	s := rabbitmq.New(rabbitmq.Options{})
	t.Cleanup(func() { _ = s.Close() })
	admin := api{t, s, "guest", "guest"}
	admin.do(201, "PUT", "/api/vhosts/shop", nil)
	admin.do(201, "PUT", "/api/queues/shop/orders", map[string]any{})
	admin.do(201, "PUT", "/api/queues/%2F/other", map[string]any{})
	user := func(name, tags string) api {
		admin.do(201, "PUT", "/api/users/"+name, map[string]any{"password": "p", "tags": tags})
		admin.do(201, "PUT", "/api/permissions/shop/"+name, map[string]any{"configure": ".*", "write": ".*", "read": ".*"})
		return api{t, s, name, "p"}
	}
	t.Run("without a tag a user has no access", func(*testing.T) { user("worker", "").do(401, "GET", "/api/queues", nil) })
	t.Run("a wrong password is refused", func(t *testing.T) { api{t, s, "guest", ""}.do(401, "GET", "/api/queues", nil) })
	t.Run("a user sees the virtual hosts that it has permissions for", func(t *testing.T) {
		m := user("manager", "management")
		if got := names(m.do(200, "GET", "/api/queues", nil)); !slices.Equal(got, []string{"orders"}) {
			t.Errorf("sees %v", got)
		}
		m.do(401, "GET", "/api/queues/%2F", nil)
		m.do(401, "GET", "/api/users", nil)
		m.do(401, "PUT", "/api/vhosts/more", nil)
		m.do(401, "DELETE", "/api/vhosts/shop", nil)
		m.do(401, "GET", "/api/definitions", nil)
	})
	t.Run("policies are a policymaker's", func(*testing.T) {
		policy := map[string]any{"pattern": ".*", "definition": map[string]any{"max-length": 5}}
		user("manager2", "management").do(401, "PUT", "/api/policies/shop/p", policy)
		user("maker", "policymaker").do(201, "PUT", "/api/policies/shop/p", policy)
	})
	t.Run("definitions hold no password, and let the same users in elsewhere", func(t *testing.T) {
		definitions := admin.do(200, "GET", "/api/definitions", nil)
		text, err := json.Marshal(definitions)
		must(t, err)
		if strings.Contains(string(text), `"password":`) {
			t.Errorf("passwords in %s", text)
		}
		other := rabbitmq.New(rabbitmq.Options{})
		defer func() { _ = other.Close() }()
		api{t, other, "guest", "guest"}.do(204, "POST", "/api/definitions", definitions)
		m := api{t, other, "manager", "p"}
		if got := names(m.do(200, "GET", "/api/queues", nil)); !slices.Equal(got, []string{"orders"}) {
			t.Errorf("sees %v", got)
		}
		again, err := json.Marshal(api{t, other, "guest", "guest"}.do(200, "GET", "/api/definitions", nil))
		must(t, err)
		if string(again) != string(text) {
			t.Errorf("came back as\n%s\nwas\n%s", again, text)
		}
	})
}

func TestManagementRefusesWhatMakesNoSense(t *testing.T) {
	s := rabbitmq.New(rabbitmq.Options{})
	t.Cleanup(func() { _ = s.Close() })
	a := api{t, s, "guest", "guest"}
	a.do(201, "PUT", "/api/queues/%2F/q", "{}")
	for _, body := range []string{"{", `"x"`, `[]`, `{"count":"many","ackmode":"ack_requeue_true"}`, `{"count":1,"ackmode":"eat"}`, `{"ackmode":"ack_requeue_true"}`} {
		a.do(400, "POST", "/api/queues/%2F/q/get", body)
	}
	a.do(400, "PUT", "/api/queues/%2F/other", `{"arguments":{"x-max-length":"many"}}`)
	a.do(400, "PUT", "/api/policies/%2F/p", `{"pattern":"(","definition":{"max-length":1}}`)
	a.do(400, "PUT", "/api/policies/%2F/p", `{"pattern":".*","definition":{"max-lenght":1}}`)
	a.do(400, "PUT", "/api/users/u", `{"tags":"administrator"}`)
	a.do(400, "PUT", "/api/permissions/%2F/nobody", `{"configure":"","write":"","read":""}`)
	a.do(404, "GET", "/api/queues/%2F/nothing", nil)
	a.do(404, "GET", "/api/nonsense", nil)
	a.do(404, "POST", "/api/bindings/%2F/e/amq.direct/x/q", `{}`)
}

func TestManagementLooks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := rabbitmq.New(rabbitmq.Options{})
		defer func() { _ = s.Close() }()
		c := dial(t, s)
		defer func() { _ = c.Close() }()
		ch, err := c.Channel()
		must(t, err)
		must(t, ch.Confirm(false))
		_, err = ch.QueueDeclare("q", true, false, false, false, nil)
		must(t, err)
		_, err = ch.Consume("q", "k", false, false, false, false, nil)
		must(t, err)
		a := api{t, s, "guest", "guest"}
		a.do(200, "GET", "/api/queues/%2F/q", nil)
		for range 10 {
			time.Sleep(time.Second)
			confirmed, err := ch.PublishWithDeferredConfirm("", "q", false, false, client.Publishing{})
			must(t, err)
			confirmed.Wait()
		}
		q := a.do(200, "GET", "/api/queues/%2F/q", nil).(map[string]any)
		if q["messages_unacknowledged"] != 10.0 || q["consumers"] != 1.0 {
			t.Errorf("queue %v", q)
		}
		stats := q["message_stats"].(map[string]any)
		if rate := stats["publish_details"].(map[string]any)["rate"]; stats["publish"] != 10.0 || rate != 1.0 {
			t.Errorf("published %v at %v a second", stats["publish"], rate)
		}
		connections := a.do(200, "GET", "/api/connections", nil).([]any)
		channels := a.do(200, "GET", "/api/channels", nil).([]any)
		consumers := a.do(200, "GET", "/api/consumers/%2F", nil).([]any)
		if len(connections) != 1 || len(channels) != 1 || len(consumers) != 1 || consumers[0].(map[string]any)["consumer_tag"] != "k" {
			t.Errorf("%v\n%v\n%v", connections, channels, consumers)
		}
		w := httptest.NewRecorder()
		s.Metrics().ServeHTTP(w, httptest.NewRequest("GET", "/metrics/per-object", nil))
		page, err := io.ReadAll(w.Body)
		must(t, err)
		for _, line := range []string{
			`rabbitmq_queue_messages_unacked{vhost="/",queue="q"} 10`, `rabbitmq_connections 1`, `rabbitmq_global_messages_received_total{protocol="amqp091"} 10`,
			`rabbitmq_global_messages_confirmed_total{protocol="amqp091"} 10`, `rabbitmq_global_messages_delivered_total{protocol="amqp091"} 10`,
		} {
			if !strings.Contains(string(page), line+"\n") {
				t.Errorf("the page lacks %s:\n%s", line, page)
			}
		}
	})
}
