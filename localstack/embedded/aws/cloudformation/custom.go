package cloudformation

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/brokerdojo/brokerdojo/localstack/embedded/aws/api"
)

// Custom resources: a function or a topic is told what to make and answers to an address. Source: User Guide, "Custom resources"
// and the pages below it (checked 2026-12-01).

const (
	defaultServiceTimeout = time.Hour
	maxReply              = 4096 // bytes of an answer
)

// A reply is what a custom resource answered.
type reply struct {
	Status, Reason, PhysicalResourceId, StackId, RequestId, LogicalResourceId string
	NoEcho                                                                    bool
	Data                                                                      map[string]any
}

// Responses serves the addresses that custom resources answer to.
func (s *Service) Responses() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		token := strings.TrimPrefix(r.URL.Path, ResponsePath)
		if r.Method != http.MethodPut {
			http.Error(w, "a custom resource answers with PUT", http.StatusMethodNotAllowed)
			return
		}
		body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxReply))
		if err != nil {
			http.Error(w, "the answer is over 4096 bytes", http.StatusRequestEntityTooLarge)
			return
		}
		var answer reply
		if err := json.Unmarshal(body, &answer); err != nil {
			answer = reply{Status: "FAILED", Reason: "Invalid response: " + err.Error()}
		}
		s.mu.Lock()
		waiting, ok := s.answers[token]
		delete(s.answers, token)
		s.mu.Unlock()
		if !ok {
			http.Error(w, "nobody waits for this answer", http.StatusForbidden)
			return
		}
		waiting <- answer // there is room for one
	})
}

var customResource = &resourceType{replacing: []string{"ServiceToken"}, create: createCustom, update: updateCustom, remove: removeCustom}

// ask tells the provider what to do and waits for its answer.
func (c *call) ask(kind, physical string, properties, old map[string]any) (*reply, error) {
	token, _ := properties["ServiceToken"].(string)
	if token == "" {
		return nil, errors.New("#: required key [ServiceToken] not found")
	}
	timeout := defaultServiceTimeout
	if v, ok := properties["ServiceTimeout"]; ok {
		text, _ := scalar(v)
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > 3600 {
			return nil, errors.New("ServiceTimeout must be a number of seconds from 1 to 3600")
		}
		timeout = time.Duration(n) * time.Second
	}
	address, answers := rand.Text(), make(chan reply, 1)
	c.s.mu.Lock()
	c.s.answers[address] = answers
	c.s.mu.Unlock()
	defer func() {
		c.s.mu.Lock()
		delete(c.s.answers, address)
		c.s.mu.Unlock()
	}()
	request := map[string]any{
		"RequestType": kind, "RequestId": api.UUID(), "ResponseURL": c.from.Endpoint + ResponsePath + address, "StackId": c.stack.id,
		"ResourceType": c.kind, "LogicalResourceId": c.logical, "ServiceToken": token, "ResourceProperties": texts(properties),
	}
	if physical != "" {
		request["PhysicalResourceId"] = physical
	}
	if old != nil {
		request["OldResourceProperties"] = texts(old)
	}
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	switch {
	case strings.HasPrefix(token, "arn:aws:lambda:"):
		err = c.invoke("lambda", "Invoke", map[string]any{"FunctionName": token, "InvocationType": "Event", "Payload": body}, nil)
	case strings.HasPrefix(token, "arn:aws:sns:"):
		err = c.invoke("sns", "Publish", map[string]any{"TopicArn": token, "Subject": "AWS CloudFormation custom resource request", "Message": string(body)}, nil)
	default:
		err = reasonf("Invalid service token: %s", token)
	}
	if err != nil {
		return nil, err
	}
	timer := time.NewTimer(timeout)
	defer timer.Stop()
	select {
	case answer := <-answers:
		switch {
		case answer.Status == "FAILED":
			return &answer, reasonf("Received response status [FAILED] from custom resource. Message returned: %s", answer.Reason)
		case answer.Status != "SUCCESS":
			return nil, reasonf("Invalid response: the Status must be SUCCESS or FAILED")
		case kind != "Delete" && answer.PhysicalResourceId == "":
			return nil, reasonf("Invalid PhysicalResourceId")
		}
		return &answer, nil
	case <-timer.C:
		return nil, reasonf("CloudFormation did not receive a response from your Custom Resource. Please check your logs for requestId [%s].", request["RequestId"])
	case <-c.ctx.Done():
		return nil, context.Cause(c.ctx)
	}
}

// texts are properties as custom resources get them: numbers and booleans are text.
func texts(v any) any {
	switch v := v.(type) {
	case map[string]any:
		m := make(map[string]any, len(v))
		for k, e := range v {
			m[k] = texts(e)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, e := range v {
			list[i] = texts(e)
		}
		return list
	}
	if t, ok := scalar(v); ok {
		return t
	}
	return v
}

func createCustom(c *call, properties map[string]any) (string, map[string]any, error) {
	answer, err := c.ask("Create", "", properties, nil)
	if answer == nil {
		return "", nil, err
	}
	return answer.PhysicalResourceId, data(answer), err
}

func updateCustom(c *call, physical string, properties, old map[string]any) (string, map[string]any, error) {
	answer, err := c.ask("Update", physical, properties, old)
	if err != nil {
		return "", nil, err
	}
	return answer.PhysicalResourceId, data(answer), nil
}

func data(r *reply) map[string]any {
	if r.Data == nil {
		return map[string]any{}
	}
	return r.Data
}

func removeCustom(c *call, physical string, properties map[string]any) error {
	_, err := c.ask("Delete", physical, properties, nil)
	return err
}
