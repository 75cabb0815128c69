package demo

import "strings"

// socketKey is any 16 bytes in base64: a WebSocket handshake needs some.
const socketKey = "YXBtLWRlbW8tc29ja2V0IQ=="

// farewell prints what can be tried now. Every line pastes as it is.
func (d *demo) farewell() {
	d.say("")
	d.say("The host stays up. Try, in another terminal in this directory:")
	d.say("")
	current, bad := "", ""
	for _, one := range d.result.Deployments {
		if one.Version == "v2" {
			current = one.ID
		}
		bad = one.ID
	}
	show := d.Again("token", "show")
	for _, line := range []string{
		d.Again("deploy", "list"),
		d.Again("deploy", "explain", bad),
		d.Again("deploy", "history", bad),
		d.Again("deploy", "rollback", current, "--dry-run"),
		`curl -s http://` + d.app + `/`,
		`curl -s ` + d.host.url + `/api/v1/deployments/` + bad,
		`curl -s -H "Authorization: Bearer $(` + show + `)" ` + d.host.url + `/api/v1/deployments/` + bad + `/evidence`,
		// curl of any age can do the handshake; the frames are JSON.
		strings.Join([]string{
			`curl -sN --http1.1 --max-time 3 --output - -H "Connection: Upgrade" -H "Upgrade: websocket"`,
			`-H "Sec-WebSocket-Version: 13" -H "Sec-WebSocket-Key: ` + socketKey + `"`,
			`"` + d.host.url + `/ws/deployments?deployment_id=` + bad + `&after=0"`,
		}, " "),
	} {
		d.say("  %s", line)
	}
	d.say("")
	d.say("Docs: %s/docs   Metrics: %s/metrics", d.host.url, d.host.url)
	d.say("Ctrl-C removes what the demo deployed and ends.")
}
