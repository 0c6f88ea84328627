/* SPDX-License-Identifier: MPL-2.0 */
#include "cmd/fl-net/cni/attach.h"

#include "cmd/fl-net/cni/ask.h"
#include "cmd/fl-net/cni/chain.h"
#include "cmd/fl-net/cni/claim.h"
#include "cmd/fl-net/cni/list.h"
#include "cmd/fl-net/cni/place.h"
#include "cmd/fl-net/cni/result.h"
#include "cmd/fl-net/cni/settings.h"
#include "cmd/fl-net/netns.h"
#include "cmd/fl-net/ports.h"
#include "common/alloc.h"
#include "common/boot.h"
#include "common/log.h"

#include <string.h>

/* An interface on the way up. */
struct attach {
	const struct fl_attach_wish *wish;
	struct fl_claim claim;
	char *netns;
	fl_json *parts; /* what is asked of the plugins */
	char *before;   /* the address that it had, to be asked for again; NULL: none */
};

static const char *text_of(const struct fl_claim *claim, const char *key)
{
	return fl_json_text(fl_json_get(claim->document, key));
}

static const char *network_of(const struct fl_claim *claim)
{
	return fl_json_text(fl_json_at(claim->document, "list.name"));
}

/* netns: NULL when it is gone. */
static struct fl_cni_call call_of(const struct fl_claim *claim, const char *netns,
				  const struct fl_cancel *cancel)
{
	return (struct fl_cni_call){
		.container = claim->container,
		.netns = netns,
		.arguments = text_of(claim, "arguments"),
		.path = text_of(claim, "path"),
		.lock = claim->lock,
		.timeout_ms = (int)fl_json_int(fl_json_get(claim->document, "timeout_ms")),
		.cancel = cancel,
	};
}

/* DEL, and then all that is ours; the claim goes last. */
static int detach(struct fl_claim *claim, const struct fl_cancel *cancel, struct fl_err *err)
{
	fl_cleanup_free char *netns = fl_place_netns(claim->container);
	struct fl_cni_call call = call_of(claim, fl_netns_exists(netns) ? netns : NULL, cancel);
	struct fl_err why = { 0 };

	/* Whoever gave up what plugins made took the claim away, as an error advised. */
	if (!claim->document)
		return fl_place_remove(claim->container, err);
	if (!call.path || call.timeout_ms <= 0)
		return fl_err_set(err, FL_ERR_CORRUPT, "%s: is not a claim of ours; remove it",
				  claim->path);
	if (fl_cni_del(&call, fl_json_get(claim->document, "list"),
		       fl_json_get(claim->document, "parts"),
		       fl_json_get(claim->document, "result"), &why) < 0)
		return fl_err_set(err, why.kind, "%s; mend it and try again, or remove %s to give up "
				  "what it made", why.text, claim->path);
	if (fl_place_remove(claim->container, err) < 0)
		return -1;
	return fl_claim_drop(claim, err);
}

static int look_inside(const struct attach *attach, struct fl_attached *attached, struct fl_err *err)
{
	fl_cleanup_close int netns = fl_netns_open(attach->netns, err);
	struct fl_links *links = netns < 0 ? NULL : fl_netns_links(netns, err);
	struct fl_link link;
	int found = links ? fl_links_get(links, FL_CNI_INTERFACE, &link, err) : -1;

	fl_links_close(links);
	if (found <= 0)
		return found < 0 ? -1 : fl_err_set(err, FL_ERR_UNAVAILABLE, "CNI network %s: its plugins "
						   "made no interface " FL_CNI_INTERFACE,
						   attach->wish->network);
	attached->mac = link.mac;
	attached->mtu = link.mtu;
	return 0;
}

static bool is_of_this_boot(const struct fl_claim *claim)
{
	char boot[FL_BOOT_ID_TEXT];

	fl_boot_id(boot);
	return fl_str_equal(text_of(claim, "boot_id"), boot);
}

/* Whether what is claimed is there, and is what is wanted. */
static bool is_whole(const struct attach *attach)
{
	const struct fl_claim *claim = &attach->claim;
	struct fl_attached attached;

	return fl_json_get(claim->document, "result") && is_of_this_boot(claim) &&
	       fl_str_equal(network_of(claim), attach->wish->network) &&
	       fl_json_equal(fl_json_get(claim->document, "wanted"), attach->parts) &&
	       look_inside(attach, &attached, NULL) == 0;
}

/* 1: all is well; 0: it is to be made anew. */
static int check(struct attach *attach, struct fl_err *err)
{
	const struct fl_step_call *step = attach->wish->call;
	struct fl_cni_call call = call_of(&attach->claim, attach->netns, step->cancel);
	struct fl_err why = { 0 };

	if (!is_whole(attach))
		return 0;
	if (fl_cni_check(&call, fl_json_get(attach->claim.document, "list"),
			 fl_json_get(attach->claim.document, "parts"),
			 fl_json_get(attach->claim.document, "result"), &why) == 0)
		return 1;
	if (why.kind == FL_ERR_INTERRUPTED || why.kind == FL_ERR_ABORTED)
		return fl_err_pass(err, &why);
	/* Some plugins complain of what is well: a guest at work is not cut off for that. */
	if (fl_vm_is_supervised(step->vm)) {
		fl_log(FL_LOG_WARN, "%s; it is left as it is, as the microVM runs", why.text);
		return 1;
	}
	fl_log(FL_LOG_INFO, "%s; it is made anew", why.text);
	return 0;
}

static void remember_address(struct attach *attach)
{
	fl_cleanup_json fl_json *made =
		fl_cni_result_read(fl_json_get(attach->claim.document, "result"), NULL);
	const char *address = fl_json_text(fl_json_get(made, "address"));

	if (address && fl_str_equal(network_of(&attach->claim), attach->wish->network) &&
	    !fl_json_get(attach->parts, "ips"))
		attach->before = fl_strdup(address);
}

/* What the plugins are asked, the address that it had included. */
static fl_json *parts_of(const struct attach *attach)
{
	fl_json *parts = fl_json_copy(attach->parts), *addresses;

	if (attach->before) {
		addresses = fl_json_new_array();
		fl_json_add(addresses, fl_json_new_text(attach->before));
		fl_json_set(parts, "ips", addresses);
	}
	return parts;
}

static int claim_it(struct attach *attach, const fl_json *list, struct fl_err *err)
{
	const struct fl_args *args = attach->wish->call->args;
	fl_cleanup_free char *arguments = fl_cni_ask_arguments(attach->wish, list);
	fl_cleanup_close int all = -1;
	fl_json *document;
	char boot[FL_BOOT_ID_TEXT];

	/* Plugins that are told at this moment which are valid would not be told of this one. */
	all = fl_claim_lock_all(attach->wish->call->vm->state, FL_LOCK_SHARED, attach->wish->call->cancel,
				err);
	if (all < 0)
		return -1;
	document = fl_json_new_object();
	fl_boot_id(boot);
	fl_json_set(document, "list", fl_json_copy(list));
	fl_json_set(document, "wanted", fl_json_ref(attach->parts));
	fl_json_set(document, "parts", parts_of(attach));
	fl_json_set(document, "arguments", fl_json_new_text(arguments));
	fl_json_set(document, "path", fl_json_new_text(fl_cni_settings_path(args)));
	fl_json_set(document, "timeout_ms", fl_json_new_int(fl_cni_settings_timeout(args)));
	fl_json_set(document, "boot_id", fl_json_new_text(boot));
	attach->claim.document = document;
	return fl_claim_save(&attach->claim, err);
}

static int check_answer(const struct attach *attach, const fl_json *result, struct fl_err *err)
{
	fl_cleanup_json fl_json *made = fl_cni_result_read(result, err);
	struct fl_attached attached;

	if (!made)
		return fl_err_prefix(err, "CNI network %s", attach->wish->network);
	if (look_inside(attach, &attached, err) < 0)
		return -1;
	return fl_cni_ask_check(attach->wish, made, &attached.mac, err);
}

static int add(struct attach *attach, struct fl_err *err)
{
	const struct fl_claim *claim = &attach->claim;
	struct fl_cni_call call = call_of(claim, attach->netns, attach->wish->call->cancel);
	fl_cleanup_json fl_json *result = NULL;

	if (fl_netns_make(attach->netns, err) < 0 ||
	    fl_cni_add(&call, fl_json_get(claim->document, "list"),
		       fl_json_get(claim->document, "parts"), &result, err) < 0 ||
	    check_answer(attach, result, err) < 0)
		return -1;
	fl_json_set(claim->document, "result", fl_json_ref(result));
	return fl_claim_save(claim, err);
}

/* What failed is undone as far as it can be; the claim stays for what cannot. */
static int make(struct attach *attach, const fl_json *list, struct fl_err *err)
{
	struct fl_err why = { 0 }, undo = { 0 };

	if (claim_it(attach, list, err) < 0)
		return -1;
	if (add(attach, &why) == 0)
		return 0;
	if (why.kind != FL_ERR_INTERRUPTED && why.kind != FL_ERR_ABORTED &&
	    detach(&attach->claim, NULL, &undo) < 0)
		fl_log(FL_LOG_WARN, "%s", undo.text);
	return fl_err_pass(err, &why);
}

static int make_new(struct attach *attach, struct fl_err *err)
{
	const struct fl_attach_wish *wish = attach->wish;
	fl_cleanup_json fl_json *list =
		fl_cni_list_find(fl_cni_settings_folder(wish->call->args), wish->network, err);
	struct fl_err why = { 0 };

	/* DEL could not do without one either. */
	if (!list || fl_cni_look(list, fl_cni_settings_path(wish->call->args), err) < 0)
		return -1;
	if (wish->wants_ports && fl_cni_list_can(list, "portMappings") &&
	    fl_ports_check(wish->call, err) < 0)
		return -1;
	if (!fl_cni_list_can(list, "ips")) {
		free(attach->before);
		attach->before = NULL;
	}
	if (!attach->before)
		return make(attach, list, err);
	if (make(attach, list, &why) == 0)
		return 0;
	/* Another may have its address by now. */
	free(attach->before);
	attach->before = NULL;
	if (attach->claim.document)
		return fl_err_pass(err, &why);
	return make(attach, list, err);
}

static int bring_up(struct attach *attach, struct fl_err *err)
{
	int well;

	if (!attach->claim.document)
		return make_new(attach, err);
	well = check(attach, err);
	if (well != 0)
		return well < 0 ? -1 : 0;
	remember_address(attach);
	if (detach(&attach->claim, attach->wish->call->cancel, err) < 0)
		return -1;
	return make_new(attach, err);
}

static int take(const struct attach *attach, fl_json *made, struct fl_attached *attached,
		struct fl_err *err)
{
	const fl_json *document = attach->claim.document;
	fl_cleanup_json fl_json *answer = fl_cni_result_read(fl_json_get(document, "result"), err);

	if (!answer || look_inside(attach, attached, err) < 0)
		return -1;
	for (void *i = fl_json_first(answer); i; i = fl_json_next(answer, i))
		fl_json_set(made, fl_json_key(i), fl_json_ref(fl_json_value(i)));
	attached->publishes = attach->wish->wants_ports &&
			      fl_cni_list_can(fl_json_get(document, "list"), "portMappings");
	return 0;
}

int fl_attach_up(const struct fl_attach_wish *wish, fl_json *made, struct fl_attached *attached,
		 struct fl_err *err)
{
	const struct fl_vm *vm = wish->call->vm;
	struct attach attach = { .wish = wish, .claim = FL_CLAIM_INIT };
	int rc;

	rc = fl_claim_open(vm->state, vm->uid, wish->in->device_id, &attach.claim, err);
	if (rc == 0) {
		attach.netns = fl_place_netns(attach.claim.container);
		attach.parts = fl_cni_ask_parts(wish);
		rc = bring_up(&attach, err);
	}
	if (rc == 0)
		rc = take(&attach, made, attached, err);
	free(attach.netns);
	free(attach.before);
	fl_json_unref(attach.parts);
	fl_claim_close(&attach.claim);
	return rc;
}

int fl_attach_join(const struct fl_attach_wish *wish, const char *tap,
		   const struct fl_attached *attached, struct fl_err *err)
{
	fl_cleanup_free char *container =
		fl_claim_container(wish->call->vm->uid, wish->in->device_id);

	return fl_place_join(container, tap, attached->mtu, err);
}

int fl_attach_check_options(const struct fl_args *args, struct fl_err *err)
{
	return fl_cni_settings_check(args, err);
}

/* The way down, of a microVM or of what nobody knows. */
struct sweep {
	const struct fl_state *state;
	const struct fl_spec *spec;
	const struct fl_cancel *cancel;
	const struct fl_attach_garbage *garbage;
};

static bool is_wanted(const struct fl_spec *spec, const char *device)
{
	for (size_t i = 0; spec && i < spec->interface_count; i++)
		if (strcmp(spec->interfaces[i].device_id, device) == 0 &&
		    (!spec->interfaces[i].bridge || fl_spec_cni(spec->interfaces[i].bridge)))
			return true;
	return false;
}

static int detach_named(const struct fl_state *state, const char *uid, const char *device,
			const struct fl_cancel *cancel, struct fl_err *err)
{
	fl_cleanup_claim struct fl_claim claim = FL_CLAIM_INIT;

	if (fl_claim_open(state, uid, device, &claim, err) < 0)
		return -1;
	return detach(&claim, cancel, err);
}

static int detach_one(void *arg, const char *uid, const char *device, struct fl_err *err)
{
	const struct sweep *sweep = arg;

	return is_wanted(sweep->spec, device)
		       ? 0
		       : detach_named(sweep->state, uid, device, sweep->cancel, err);
}

int fl_attach_down(const struct fl_state *state, const char *uid, const struct fl_spec *spec,
		   const struct fl_cancel *cancel, struct fl_err *err)
{
	struct sweep sweep = { .state = state, .spec = spec, .cancel = cancel };

	return fl_claim_each(state, uid, detach_one, &sweep, err);
}

static int collect_one(void *arg, const char *uid, const char *device, struct fl_err *err)
{
	const struct sweep *sweep = arg;
	const struct fl_attach_garbage *garbage = sweep->garbage;
	fl_cleanup_free char *name = fl_asprintf("CNI network of %s-%s", uid, device);

	if (garbage->is_known(garbage->arg, uid))
		return 0;
	if (!garbage->dry && detach_named(sweep->state, uid, device, NULL, err) < 0)
		return -1;
	return garbage->say(name, err);
}

int fl_attach_collect(const struct fl_state *state, const struct fl_attach_garbage *garbage,
		      struct fl_err *err)
{
	struct sweep sweep = { .state = state, .garbage = garbage };

	return fl_claim_each(state, NULL, collect_one, &sweep, err);
}

static int add_valid(void *arg, const char *uid, const char *device, struct fl_err *err)
{
	fl_cleanup_free char *container = fl_claim_container(uid, device);
	fl_json *one = fl_json_new_object();

	(void)err;
	fl_json_set(one, "containerID", fl_json_new_text(container));
	fl_json_set(one, "ifname", fl_json_new_text(FL_CNI_INTERFACE));
	fl_json_add(arg, one);
	return 0;
}

int fl_attach_gc(const struct fl_args *args, const struct fl_state *state, const char *network,
		 struct fl_err *err)
{
	fl_cleanup_json fl_json *list = fl_cni_list_find(fl_cni_settings_folder(args), network, err);
	fl_cleanup_json fl_json *valid = fl_json_new_array();
	struct fl_cni_call call = { .path = fl_cni_settings_path(args), .lock = -1,
				    .timeout_ms = fl_cni_settings_timeout(args) };
	fl_cleanup_close int all = list ? fl_claim_lock_all(state, FL_LOCK_EXCLUSIVE, NULL, err) : -1;

	if (all < 0 || fl_claim_each(state, NULL, add_valid, valid, err) < 0)
		return -1;
	return fl_cni_gc(&call, list, valid, err);
}
