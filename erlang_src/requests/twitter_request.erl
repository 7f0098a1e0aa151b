%%% @doc Pubsub requests to nodes of the tree: which module answers which.
-module(twitter_request).

-include_lib("xmpp/include/xmpp.hrl").

-export([node/1, has_one_type/1, pubsub/2, owner/2]).

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

%% @doc Whether a form says at most once what it is. The decoders of mod_pubsub crash on any other.
-spec has_one_type(undefined | xdata()) -> boolean().
has_one_type(undefined) ->
    true;
has_one_type(#xdata{fields = Fields}) ->
    case lists:keyfind(<<"FORM_TYPE">>, #xdata_field.var, Fields) of
        #xdata_field{values = [_]} -> true;
        #xdata_field{} -> false;
        false -> true
    end.

%% @doc Answers a request in the namespace `http://jabber.org/protocol/pubsub'.
-spec pubsub(twitter_view:view(), iq()) -> iq() | #pubsub{}.
pubsub(View, #iq{type = get, sub_els = [#pubsub{items = #ps_items{}} = Request]}) ->
    twitter_items:read(View, Request);
pubsub(View, #iq{type = set, sub_els = [#pubsub{publish = #ps_publish{}}]} = IQ) ->
    twitter_publish:publish(View, IQ);
pubsub(View, #iq{type = set, sub_els = [#pubsub{retract = #ps_retract{}}]} = IQ) ->
    twitter_publish:retract(View, IQ);
pubsub(View, #iq{type = set, sub_els = [#pubsub{subscribe = #ps_subscribe{jid = Jid}}]}) ->
    subscribe(View, Jid);
pubsub(View, #iq{type = set, sub_els = [#pubsub{unsubscribe = #ps_unsubscribe{}}]}) ->
    refuse(View, always_subscribed);
pubsub(View, #iq{type = get, sub_els = [#pubsub{subscriptions = {_, _}}]}) ->
    subscriptions(View);
pubsub(View, #iq{type = get, sub_els = [#pubsub{affiliations = {_, _}}]}) ->
    affiliations(View);
pubsub(View, #iq{sub_els = [#pubsub{options = #ps_options{}}]}) ->
    refuse(View, no_options);
pubsub(View, #iq{type = set, sub_els = [#pubsub{create = Id}]}) when is_binary(Id) ->
    refuse(View, fixed_tree);
pubsub(View, _IQ) ->
    refuse(View, bad_request).

%% @doc Answers a request in the namespace `http://jabber.org/protocol/pubsub#owner'.
-spec owner(twitter_view:view(), iq()) -> iq().
owner(View, #iq{type = set, sub_els = [#pubsub_owner{purge = Id}]} = IQ) when is_binary(Id) ->
    twitter_publish:purge(View, IQ);
owner(View, #iq{type = set, sub_els = [#pubsub_owner{delete = {_, _}}]}) ->
    refuse(View, fixed_tree);
owner(View, _IQ) ->
    refuse(View, no_configuration).

%% The reader gets the posts of these streams anyway: the answer says so, and nothing is stored.
subscribe(#{node := {stream, _}, reader := #{jid := Self}} = View, Jid) ->
    case jid:remove_resource(jid:make(jid:tolower(Jid))) of
        Self -> #pubsub{subscription = subscription(View, Jid)};
        _ -> refuse(View, not_your_jid)
    end;
subscribe(View, _Jid) ->
    refuse(View, no_subscriptions).

subscriptions(#{node := Node, reader := #{jid := Self}} = View) ->
    Subscriptions = case Node of
                        {stream, _} -> [subscription(View, Self)];
                        _ -> []
                    end,
    #pubsub{subscriptions = {twitter_path:id(Node), Subscriptions}}.

subscription(#{node := Node}, Jid) ->
    #ps_subscription{jid = Jid, node = twitter_path:id(Node), type = subscribed}.

affiliations(#{node := Node, reader := Reader}) ->
    Id = twitter_path:id(Node),
    Affiliation = case Node =:= {stream, mine} andalso twitter_reader:is_at_home(Reader) of
                      true -> owner;
                      false -> member
                  end,
    #pubsub{affiliations = {Id, [#ps_affiliation{node = Id, type = Affiliation}]}}.

-spec refuse(twitter_view:view(), twitter_error:reason()) -> no_return().
refuse(#{reader := #{lang := Lang}}, Reason) ->
    twitter_error:refuse(Reason, Lang).
