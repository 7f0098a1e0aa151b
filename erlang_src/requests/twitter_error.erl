%%% @doc Refusals: stanza errors with the condition that XEP-0060 asks for and a text for people.
%%%
%%% The modules behind the gateway refuse by throwing `{refused, StanzaError}'; {@link
%%% twitter_gateway} catches it and answers.
-module(twitter_error).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/translate.hrl").

-export([refuse/2, stanza_error/2, with_text/2]).
-export_type([reason/0]).

-type reason() ::
        not_found | not_served | storage_failed | bad_cursor | both_ways | {many_ids, pos_integer()} | one_item
      | no_item | many_items | no_payload | many_payloads | long_id | too_deep | not_xml
      | {too_big, non_neg_integer()} | no_access | {too_fast, Micros :: non_neg_integer()}
      | {foreign_publisher, binary()} | anonymous_publisher
      | no_settings | too_many_mutes | read_only | no_items_here | fixed_tree | no_configuration
      | bad_action | malformed_action | {bad_payload, Var :: binary()} | bad_sessionid | session_expired
      | not_your_jid | no_subscriptions | no_options | always_subscribed | bad_request
      | #stanza_error{}.

%% @doc Ends the request with an error, in the language of the client.
-spec refuse(reason(), Lang :: binary()) -> no_return().
refuse(Reason, Lang) ->
    throw({refused, stanza_error(Reason, Lang)}).

%% @doc The stanza error for a reason.
-spec stanza_error(reason(), Lang :: binary()) -> #stanza_error{}.
stanza_error(#stanza_error{} = Error, _Lang) ->
    Error;
stanza_error(not_found, Lang) ->
    xmpp:err_item_not_found(?T("Node not found"), Lang);
stanza_error(not_served, Lang) ->
    xmpp:err_service_unavailable(?T("The microblogs are not served at this moment"), Lang);
stanza_error(storage_failed, Lang) ->
    xmpp:err_internal_server_error(?T("Database failure"), Lang);
stanza_error({many_ids, Max}, Lang) ->
    xmpp:err_not_acceptable({?T("Ask for ~B items at most"), [Max]}, Lang);
stanza_error(one_item, Lang) ->
    extended(xmpp:err_bad_request(?T("Name one item, by its id"), Lang), 'item-required');
stanza_error(bad_cursor, Lang) ->
    xmpp:err_item_not_found(?T("There is no such page"), Lang);
stanza_error(both_ways, Lang) ->
    xmpp:err_bad_request(?T("Ask for the page before or after an item, not for both"), Lang);
stanza_error(no_item, Lang) ->
    extended(xmpp:err_bad_request(?T("There is no item to publish"), Lang), 'item-required');
stanza_error(many_items, Lang) ->
    extended(xmpp:err_bad_request(?T("Publish one item at a time"), Lang), 'invalid-payload');
stanza_error(no_payload, Lang) ->
    extended(xmpp:err_bad_request(?T("The item is empty"), Lang), 'payload-required');
stanza_error(many_payloads, Lang) ->
    Text = ?T("The item has more than one payload: write either text or one element"),
    extended(xmpp:err_bad_request(Text, Lang), 'invalid-payload');
stanza_error(long_id, Lang) ->
    xmpp:err_bad_request(?T("The item id is too long"), Lang);
stanza_error(too_deep, Lang) ->
    Text = ?T("The payload is nested too deeply"),
    extended(xmpp:err_bad_request(Text, Lang), 'invalid-payload');
stanza_error(not_xml, Lang) ->
    Text = ?T("The payload is no XML by itself: declare all namespace prefixes inside of it"),
    extended(xmpp:err_bad_request(Text, Lang), 'invalid-payload');
stanza_error({too_big, Max}, Lang) ->
    Text = {?T("The post is larger than ~B bytes"), [Max]},
    extended(xmpp:err_not_acceptable(Text, Lang), 'payload-too-big');
stanza_error({foreign_publisher, ServerHost}, Lang) ->
    xmpp:err_not_allowed({?T("Only users of ~ts can publish here"), [ServerHost]}, Lang);
stanza_error(anonymous_publisher, Lang) ->
    xmpp:err_not_allowed(?T("Anonymous users cannot publish"), Lang);
stanza_error(no_access, Lang) ->
    xmpp:err_forbidden(?T("You are not allowed to post here"), Lang);
stanza_error({too_fast, Micros}, Lang) ->
    Seconds = (Micros + 999_999) div 1_000_000,
    Text = {?T("You post too fast: try again in ~B seconds"), [Seconds]},
    xmpp:err_resource_constraint(Text, Lang);
stanza_error(no_settings, Lang) ->
    xmpp:err_not_allowed(?T("You have no settings here"), Lang);
stanza_error(too_many_mutes, Lang) ->
    xmpp:err_resource_constraint(?T("You have muted as many people as you can"), Lang);
stanza_error(read_only, Lang) ->
    xmpp:err_forbidden(?T("This node is read only: publish to /twitter/MyStream"), Lang);
stanza_error(no_items_here, Lang) ->
    Text = ?T("This node is a collection: it has nodes, no items"),
    unsupported(xmpp:err_feature_not_implemented(Text, Lang), 'retrieve-items');
stanza_error(fixed_tree, Lang) ->
    xmpp:err_not_allowed(?T("Nodes below /twitter are neither created nor deleted"), Lang);
stanza_error(no_configuration, Lang) ->
    xmpp:err_not_allowed(?T("Nodes below /twitter have no configuration: "
                            "who shares presence sees the posts"), Lang);
stanza_error(bad_action, Lang) ->
    of_command(xmpp:err_bad_request(?T("This step is not possible here"), Lang), <<"bad-action">>);
stanza_error(malformed_action, Lang) ->
    of_command(xmpp:err_bad_request(?T("There is no such action"), Lang), <<"malformed-action">>);
stanza_error({bad_payload, <<>>}, Lang) ->
    of_command(xmpp:err_bad_request(?T("Send the form, filled in"), Lang), <<"bad-payload">>);
stanza_error({bad_payload, Var}, Lang) ->
    Text = {?T("The field ~ts is missing, or has no value that makes sense"), [Var]},
    of_command(xmpp:err_bad_request(Text, Lang), <<"bad-payload">>);
stanza_error(bad_sessionid, Lang) ->
    of_command(xmpp:err_bad_request(?T("There is no such dialog: begin the command again"), Lang), <<"bad-sessionid">>);
stanza_error(session_expired, Lang) ->
    of_command(xmpp:err_not_allowed(?T("This dialog is over: begin the command again"), Lang), <<"session-expired">>);
stanza_error(not_your_jid, Lang) ->
    extended(xmpp:err_bad_request(?T("You can only subscribe yourself"), Lang), 'invalid-jid');
stanza_error(no_subscriptions, Lang) ->
    Text = ?T("This node cannot be subscribed to: posts come by themselves"),
    unsupported(xmpp:err_feature_not_implemented(Text, Lang), 'subscribe');
stanza_error(no_options, Lang) ->
    Text = ?T("There are no subscription options"),
    unsupported(xmpp:err_feature_not_implemented(Text, Lang), 'subscription-options');
stanza_error(always_subscribed, Lang) ->
    xmpp:err_not_allowed(?T("Posts come from the contacts whose presence you see: "
                            "to stop them, end that subscription"), Lang);
stanza_error(bad_request, Lang) ->
    xmpp:err_bad_request(?T("This request makes no sense here"), Lang).

%% @doc The error, with a text if mod_pubsub has given it none.
-spec with_text(#stanza_error{}, Lang :: binary()) -> #stanza_error{}.
with_text(#stanza_error{text = [], reason = Reason} = Error, Lang) ->
    Error#stanza_error{text = xmpp:mk_text(text(Reason), Lang)};
with_text(Error, _Lang) ->
    Error.

text('item-not-found') -> ?T("There is no such item");
text(conflict) -> ?T("The stream does not meet the options of the request");
text('bad-request') -> ?T("This request makes no sense here");
text(_) -> ?T("The request was refused").

%% The conditions of XEP-0050.
-spec of_command(#stanza_error{}, Condition :: binary()) -> #stanza_error{}.
of_command(Error, Condition) ->
    Error#stanza_error{sub_els = [#xmlel{name = Condition, attrs = [{<<"xmlns">>, ?NS_COMMANDS}]}]}.

-spec extended(#stanza_error{}, atom()) -> #stanza_error{}.
extended(Error, Condition) ->
    mod_pubsub:extended_error(Error, #ps_error{type = Condition}).

-spec unsupported(#stanza_error{}, atom()) -> #stanza_error{}.
unsupported(Error, Feature) ->
    mod_pubsub:extended_error(Error, mod_pubsub:err_unsupported(Feature)).
