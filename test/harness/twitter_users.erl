%%% Users of a private server, and who is whose friend.
%%%
%%% Every test case makes its own users, so that cases can share one server.
-module(twitter_users).

-include_lib("xmpp/include/xmpp.hrl").
-include_lib("ejabberd/include/mod_roster.hrl").

-export([fresh/2, fresh/3, register/3, login/2, login/3, jid/1]).
-export([unregister/2, befriend/2, befriend/3, set_contact/4, set_contact/5, roster/2]).
-export([remove_contact/2, remove_contact/3, block/2, unblock/2]).

-define(PASSWORD, <<"secret">>).

%% @doc Registers a user nobody else has, on the server's first host.
-spec fresh(twitter_server:server(), Name :: binary()) -> twitter_client:user().
fresh(Server, Name) ->
    fresh(Server, Name, hd(twitter_server:hosts(Server))).

-spec fresh(twitter_server:server(), Name :: binary(), Host :: binary()) -> twitter_client:user().
fresh(Server, Name, Host) ->
    Number = integer_to_binary(erlang:unique_integer([positive])),
    register(Server, <<Name/binary, "-", Number/binary>>, Host).

-spec register(twitter_server:server(), Name :: binary(), Host :: binary()) ->
    twitter_client:user().
register(Server, Name, Host) ->
    ok = twitter_server:call(Server, ejabberd_auth, try_register, [Name, Host, ?PASSWORD]),
    {Name, Host}.

%% @doc Deletes an account.
-spec unregister(twitter_server:server(), twitter_client:user()) -> ok.
unregister(Server, {Name, Host}) ->
    twitter_server:call(Server, ejabberd_auth, remove_user, [Name, Host]).

-spec login(twitter_server:server(), twitter_client:user()) -> twitter_client:client().
login(Server, User) ->
    login(Server, User, #{}).

-spec login(twitter_server:server(), twitter_client:user(), twitter_client:options()) ->
    twitter_client:client().
login(Server, User, Options) ->
    twitter_client:connect(Server, User, ?PASSWORD, Options).

-spec jid(twitter_client:user()) -> binary().
jid({Name, Host}) ->
    <<Name/binary, "@", Host/binary>>.

%% @doc Both clients come to see each other's presence, by the stanzas that any
%% client sends. Returns when both rosters say so; what was received on the way is
%% taken.
-spec befriend(twitter_client:client(), twitter_client:client()) -> ok.
befriend(One, Other) ->
    subscribe(One, Other),
    subscribe(Other, One),
    %% Both have the pushes and presences of the handshake by now.
    await_subscription(One, twitter_client:bare(Other), <<"both">>),
    await_subscription(Other, twitter_client:bare(One), <<"both">>),
    _ = twitter_client:sync(One),
    _ = twitter_client:sync(Other),
    ok.

%% @doc Gives both users the other as a contact with subscription `both', quickly:
%% from inside the server, whether they are online or not.
-spec befriend(twitter_server:server(), twitter_client:user(), twitter_client:user()) -> ok.
befriend(Server, One, Other) ->
    set_contact(Server, One, Other, both),
    set_contact(Server, Other, One, both).

subscribe(Subscriber, Contact) ->
    SubscriberJid = twitter_client:bare(Subscriber),
    ContactJid = twitter_client:bare(Contact),
    send_presence(Subscriber, ContactJid, <<"subscribe">>),
    #xmlel{} = twitter_client:expect(Contact, presence(<<"subscribe">>, SubscriberJid)),
    send_presence(Contact, SubscriberJid, <<"subscribed">>),
    #xmlel{} = twitter_client:expect(Subscriber, presence(<<"subscribed">>, ContactJid)),
    ok.

send_presence(Client, To, Type) ->
    twitter_client:send(Client, #xmlel{
        name = <<"presence">>,
        attrs = [{<<"to">>, To}, {<<"type">>, Type}]
    }).

presence(Type, From) ->
    fun(#xmlel{name = Name} = Stanza) ->
        Name =:= <<"presence">> andalso
            fxml:get_tag_attr_s(<<"type">>, Stanza) =:= Type andalso
            fxml:get_tag_attr_s(<<"from">>, Stanza) =:= From
    end.

%% Roster pushes tell how far a handshake is.
await_subscription(Client, Jid, Subscription) ->
    IsPush = fun(Stanza) ->
        Item = fxml:get_path_s(Stanza, [{elem, <<"query">>}, {elem, <<"item">>}]),
        is_record(Item, xmlel) andalso
            fxml:get_tag_attr_s(<<"jid">>, Item) =:= Jid andalso
            fxml:get_tag_attr_s(<<"subscription">>, Item) =:= Subscription
    end,
    #xmlel{} = twitter_client:expect(Client, IsPush),
    ok.

%% @doc Sets one side of a relation, without a roster name.
-spec set_contact(
    twitter_server:server(),
    twitter_client:user(),
    Contact :: twitter_client:user() | binary(),
    none | from | to | both
) -> ok.
set_contact(Server, User, Contact, Subscription) ->
    set_contact(Server, User, Contact, Subscription, <<>>).

%% @doc Sets one side of a relation from inside the server: that user's own roster
%% only. He is told by a roster push.
-spec set_contact(
    twitter_server:server(),
    twitter_client:user(),
    Contact :: twitter_client:user() | binary(),
    none | from | to | both | remove,
    RosterName :: binary()
) -> ok.
set_contact(Server, User, {_, _} = Contact, Subscription, RosterName) ->
    set_contact(Server, User, jid(Contact), Subscription, RosterName);
set_contact(Server, {Name, Host}, Contact, Subscription, RosterName) ->
    %% Of one version of ejabberd to the next such records grow: the server makes its own.
    Query = twitter_server:call(Server, xmpp, decode, [#xmlel{
        name = <<"query">>,
        attrs = [{<<"xmlns">>, <<"jabber:iq:roster">>}],
        children = [#xmlel{
            name = <<"item">>,
            attrs = [{<<"jid">>, Contact}, {<<"name">>, RosterName}, {<<"subscription">>, atom_to_binary(Subscription)}]
        }]
    }]),
    [[Item]] = [Items || [_ | _] = Items <- tuple_to_list(Query)],
    User = twitter_server:call(Server, jid, make, [Name, Host]),
    ok = twitter_server:call(Server, mod_roster, set_item_and_notify_clients, [User, Item, true]).

%% @doc Removes a contact as a client's roster set does: the contact's side ends
%% with subscription `none'.
-spec remove_contact(
    twitter_server:server(), twitter_client:user(), Contact :: twitter_client:user() | binary()
) -> ok.
remove_contact(Server, User, Contact) ->
    set_contact(Server, User, Contact, remove, <<>>).

%% @doc The same, by the stanza that a client sends.
-spec remove_contact(twitter_client:client(), Contact :: binary()) -> ok.
remove_contact(Client, Contact) ->
    set(Client, [
        <<"<query xmlns='jabber:iq:roster'><item subscription='remove' jid='">>,
        fxml:crypt(Contact), <<"'/></query>">>
    ]).

-spec block(twitter_client:client(), Jid :: binary()) -> ok.
block(Client, Jid) -> set_blocking(Client, <<"block">>, Jid).

-spec unblock(twitter_client:client(), Jid :: binary()) -> ok.
unblock(Client, Jid) -> set_blocking(Client, <<"unblock">>, Jid).

set_blocking(Client, Action, Jid) ->
    set(Client, [
        $<, Action, <<" xmlns='urn:xmpp:blocking'><item jid='">>, fxml:crypt(Jid),
        <<"'/></">>, Action, $>
    ]).

%% A request to the user's own account.
set(Client, Content) ->
    Answer = twitter_client:request(Client, [<<"<iq type='set'>">>, Content, <<"</iq>">>]),
    _ = twitter_answers:result(Answer),
    ok.

%% @doc The roster as ejabberd gives it to its modules: contact and subscription,
%% sorted.
-spec roster(twitter_server:server(), twitter_client:user()) -> [{binary(), atom()}].
roster(Server, {Name, Host}) ->
    Items = twitter_server:call(Server, ejabberd_hooks, run_fold, [
        roster_get, Host, [], [{Name, Host}]
    ]),
    lists:sort([contact(Item) || Item <- Items]).

%% 23.01 folds over #roster{} records, later releases over #roster_item{}.
contact(#roster_item{jid = Jid, subscription = Subscription}) ->
    {jid:encode(Jid), Subscription};
contact(#roster{jid = Jid, subscription = Subscription}) ->
    {jid:encode(Jid), Subscription}.
