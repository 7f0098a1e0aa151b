%%% @doc Pubsub requests to nodes of the tree: which module answers which.
-module(twitter_request).

-include_lib("xmpp/include/xmpp.hrl").

-export([node/1, pubsub/3, owner/3]).

%% @doc The node that a request is about; empty if it names none.
-spec node(#pubsub{} | #pubsub_owner{}) -> binary().
node(#pubsub{publish = #ps_publish{node = Id}}) -> Id;
node(#pubsub{retract = #ps_retract{node = Id}}) -> Id;
node(#pubsub{items = #ps_items{node = Id}}) -> Id;
node(#pubsub{subscribe = #ps_subscribe{node = Id}}) -> Id;
node(#pubsub{unsubscribe = #ps_unsubscribe{node = Id}}) -> Id;
node(#pubsub{options = #ps_options{node = Id}}) -> Id;
node(#pubsub{create = Id}) when is_binary(Id) -> Id;
node(#pubsub{subscriptions = {Id, _}}) -> Id;
node(#pubsub{affiliations = {Id, _}}) -> Id;
node(#pubsub_owner{configure = {Id, _}}) -> Id;
node(#pubsub_owner{purge = Id}) when is_binary(Id) -> Id;
node(#pubsub_owner{delete = {Id, _}}) -> Id;
node(#pubsub_owner{affiliations = {Id, _}}) -> Id;
node(#pubsub_owner{subscriptions = {Id, _}}) -> Id;
node(_) -> <<>>.

%% @doc Answers a request in the namespace `http://jabber.org/protocol/pubsub'.
-spec pubsub(twitter_reader:reader(), twitter_nif:node_term(), iq()) -> iq() | #pubsub{}.
pubsub(Reader, Node, #iq{type = get, sub_els = [#pubsub{items = #ps_items{}} = Request]}) ->
    twitter_items:read(Reader, Node, Request);
pubsub(Reader, Node, #iq{type = set, sub_els = [#pubsub{publish = #ps_publish{}}]} = IQ) ->
    twitter_publish:publish(Reader, Node, IQ);
pubsub(Reader, Node, #iq{type = set, sub_els = [#pubsub{retract = #ps_retract{}}]} = IQ) ->
    twitter_publish:retract(Reader, Node, IQ);
pubsub(Reader, Node, #iq{type = set, sub_els = [#pubsub{subscribe = #ps_subscribe{jid = Jid}}]}) ->
    subscribe(Reader, Node, Jid);
pubsub(#{lang := Lang}, _, #iq{type = set, sub_els = [#pubsub{unsubscribe = #ps_unsubscribe{}}]}) ->
    twitter_error:refuse(always_subscribed, Lang);
pubsub(Reader, Node, #iq{type = get, sub_els = [#pubsub{subscriptions = {_, _}}]}) ->
    subscriptions(Reader, Node);
pubsub(Reader, Node, #iq{type = get, sub_els = [#pubsub{affiliations = {_, _}}]}) ->
    affiliations(Reader, Node);
pubsub(#{lang := Lang}, _Node, #iq{sub_els = [#pubsub{options = #ps_options{}}]}) ->
    twitter_error:refuse(no_options, Lang);
pubsub(#{lang := Lang}, _Node, #iq{type = set, sub_els = [#pubsub{create = Id}]})
  when is_binary(Id) ->
    twitter_error:refuse(fixed_tree, Lang);
pubsub(#{lang := Lang}, _Node, _IQ) ->
    twitter_error:refuse(bad_request, Lang).

%% @doc Answers a request in the namespace `http://jabber.org/protocol/pubsub#owner'.
-spec owner(twitter_reader:reader(), twitter_nif:node_term(), iq()) -> iq().
owner(Reader, Node, #iq{type = set, sub_els = [#pubsub_owner{purge = Id}]} = IQ)
  when is_binary(Id) ->
    twitter_publish:purge(Reader, Node, IQ);
owner(#{lang := Lang}, _Node, #iq{type = set, sub_els = [#pubsub_owner{delete = {_, _}}]}) ->
    twitter_error:refuse(fixed_tree, Lang);
owner(#{lang := Lang}, _Node, _IQ) ->
    twitter_error:refuse(no_configuration, Lang).

%% The reader gets the posts of these streams anyway: the answer says so, and nothing is stored.
subscribe(#{jid := Self, lang := Lang}, {stream, _} = Node, Jid) ->
    case jid:remove_resource(jid:make(jid:tolower(Jid))) of
        Self -> #pubsub{subscription = subscription(Node, Jid)};
        _ -> twitter_error:refuse(not_your_jid, Lang)
    end;
subscribe(#{lang := Lang}, _Node, _Jid) ->
    twitter_error:refuse(no_subscriptions, Lang).

subscriptions(#{jid := Self}, {stream, _} = Node) ->
    #pubsub{subscriptions = {twitter_path:id(Node), [subscription(Node, Self)]}};
subscriptions(_Reader, Node) ->
    #pubsub{subscriptions = {twitter_path:id(Node), []}}.

subscription(Node, Jid) ->
    #ps_subscription{jid = Jid, node = twitter_path:id(Node), type = subscribed}.

affiliations(_Reader, {stream, mine} = Node) ->
    Id = twitter_path:id(Node),
    #pubsub{affiliations = {Id, [#ps_affiliation{node = Id, type = owner}]}};
affiliations(_Reader, Node) ->
    Id = twitter_path:id(Node),
    #pubsub{affiliations = {Id, [#ps_affiliation{node = Id, type = member}]}}.
