// SPDX-License-Identifier: GPL-2.0-or-later
// The life of a tunnel by types made from api/openapi.json: node client.js URL TOKEN

import createClient from "openapi-fetch";
import type { components, paths } from "./openapi.js";

type Tunnel = components["schemas"]["Tunnel"];

declare const process: { argv: string[] };

const [url, token] = process.argv.slice(2);
const client = createClient<paths>({ baseUrl: url, headers: { Authorization: `Bearer ${token}` } });
const path = { name: "tun_a" };
const tunnel: components["schemas"]["TunnelDeclaration"] = {
	name: "tun_a",
	remote: "172.16.1.62",
	local: "172.16.16.22",
	addresses: ["192.168.1.1/24"],
};

// what the agent refuses does not compile
// @ts-expect-error
const unknown: typeof tunnel = { ...tunnel, remot: "172.16.1.62" };
// @ts-expect-error
const missing: typeof tunnel = { name: "tun_a" };
// @ts-expect-error
const word: components["schemas"]["NatRule"]["action"] = "masquerad";
void [unknown, missing, word];

function want(condition: boolean, answer: { response: Response; error?: unknown }): void {
	if (!condition) {
		const { status, url: asked } = answer.response;
		throw new Error(`${asked}: ${status} ${JSON.stringify(answer.error)}`);
	}
}

// a dry run is answered with a plan in the resource's place
function resource(data: Tunnel | components["schemas"]["DryRun"] | undefined): Tunnel {
	if (!data || "plan" in data)
		throw new Error(`not a tunnel: ${JSON.stringify(data)}`);
	return data;
}

const made = await client.POST("/v1/tunnels", { params: { query: { wait: 10 } }, body: tunnel });
want(made.response.status === 201, made);
const read = await client.GET("/v1/tunnels/{name}", { params: { path } });
want(read.data?.status.state === "ready", read);
const list = await client.GET("/v1/tunnels", { params: { query: { limit: 10, state: "ready" } } });
want(list.data?.items.length === 1 && list.data.items[0]?.name === "tun_a", list);

const patch = () => client.PATCH("/v1/tunnels/{name}", {
	params: { path, query: { wait: 10 }, header: { "If-Match": read.response.headers.get("ETag")! } },
	headers: { "Content-Type": "application/merge-patch+json" },
	body: { ttl: 9 },
});
const patched = await patch();
want(resource(patched.data).generation === 2, patched);
const lost = await patch();
want(lost.response.status === 412 && lost.error?.code === "precondition-failed", lost);

const stats = await client.GET("/v1/tunnels/{name}/stats", { params: { path } });
want(stats.data !== undefined && stats.data.rx.packets >= 0, stats);
const config = await client.GET("/v1/config");
want(config.data?.tunnels?.[0]?.ttl === 9, config);
const gone = await client.DELETE("/v1/tunnels/{name}", { params: { path } });
want(gone.response.status === 204, gone);
const none = await client.GET("/v1/tunnels/{name}", { params: { path } });
want(none.response.status === 404 && none.error?.code === "not-found", none);
