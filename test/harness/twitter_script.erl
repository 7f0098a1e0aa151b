%%% A conversation as data, played on several servers, and what each side got as a transcript
%%% that can be compared: without what differs from one run to another.
-module(twitter_script).

-include_lib("fast_xml/include/fxml.hrl").

-export([play/3, differences/2]).
-export([pubsub/3, owner/3, info/2, items/2, to/4, own/3, send/2, caps/2, login/3, logout/1, no/1]).

-export_type([step/0, transcript/0]).

-type who() :: atom().
-type text() :: iodata() | fun((LastAnswer :: #xmlel{}) -> iodata()).
-type step() ::
    {ask, who(), To :: binary() | none, Type :: binary(), text(), result | error}
    | {send, who(), iodata()}
    | {caps, who(), Features :: [binary()]}
    | {login, who(), User :: who(), Resource :: binary()}
    | {logout, who()}.
-type transcript() :: [{step(), Answer :: binary(), [{who(), [Received :: binary()]}]}].

-define(SERVICE, <<"pubsub.localhost">>).

%%% Steps

-spec pubsub(who(), get | set, text()) -> step().
pubsub(Who, Type, Content) ->
    to(Who, ?SERVICE, Type, pubsub_element(<<"http://jabber.org/protocol/pubsub">>, Content)).

-spec owner(who(), get | set, text()) -> step().
owner(Who, Type, Content) ->
    to(Who, ?SERVICE, Type, pubsub_element(<<"http://jabber.org/protocol/pubsub#owner">>, Content)).

%% @doc To one's own account: PEP.
-spec own(who(), get | set, text()) -> step().
own(Who, Type, Content) ->
    to(Who, none, Type, pubsub_element(<<"http://jabber.org/protocol/pubsub">>, Content)).

pubsub_element(Namespace, Content) when is_function(Content) ->
    fun(Last) -> pubsub_element(Namespace, Content(Last)) end;
pubsub_element(Namespace, Content) ->
    [<<"<pubsub xmlns='">>, Namespace, <<"'>">>, Content, <<"</pubsub>">>].

-spec info(who(), {To :: binary(), Node :: iodata()}) -> step().
info(Who, Where) -> disco(Who, Where, <<"info">>).

-spec items(who(), {To :: binary(), Node :: iodata()}) -> step().
items(Who, Where) -> disco(Who, Where, <<"items">>).

disco(Who, {To, Node}, Kind) ->
    Attribute = [[<<" node='">>, Node, $'] || Node =/= <<>>],
    to(Who, To, get, [
        <<"<query xmlns='http://jabber.org/protocol/disco#">>, Kind, $', Attribute, <<"/>">>
    ]).

-spec to(who(), To :: binary() | none, get | set, text()) -> step().
to(Who, To, Type, Content) ->
    {ask, Who, To, atom_to_binary(Type), Content, result}.

%% @doc The same request, which is to be refused.
-spec no(step()) -> step().
no({ask, Who, To, Type, Content, result}) -> {ask, Who, To, Type, Content, error}.

-spec send(who(), iodata()) -> step().
send(Who, Stanza) -> {send, Who, Stanza}.

%% @doc Says by presence which features that client has.
-spec caps(who(), [binary()]) -> step().
caps(Who, Features) -> {caps, Who, Features}.

%% @doc Another session of a user, which has sent no presence yet.
-spec login(who(), User :: who(), Resource :: binary()) -> step().
login(Who, User, Resource) -> {login, Who, User, Resource}.

-spec logout(who()) -> step().
logout(Who) -> {logout, Who}.

%%% Playing

%% @doc Plays the steps. The users must not be online yet; each comes in with his name as
%% resource. After each step all that it made anybody receive is taken down; sorted, for two
%% sessions may each send theirs first.
-spec play(twitter_server:server(), #{who() => twitter_client:user()}, [step()]) -> transcript().
play(Server, Users, Steps) ->
    Clients = maps:map(fun(Who, User) -> enter(Server, User, atom_to_binary(Who), 0) end, Users),
    _ = settle(Clients),
    {Transcript, {Left, _}} = lists:mapfoldl(
        fun(Step, {Online, Last}) ->
            {Answer, NowOnline} = take(Server, Users, Step, Online, Last),
            Received = [
                {Who, lists:sort([plain(Stanza) || Stanza <- Stanzas])}
             || {Who, [_ | _] = Stanzas} <- settle(NowOnline)
            ],
            {{shown(Step), plain(Answer), Received}, {NowOnline, Answer}}
        end,
        {Clients, none},
        Steps
    ),
    lists:foreach(fun(Client) -> leave(Server, Client) end, maps:values(Left)),
    Transcript.

enter(Server, User, Resource, Priority) ->
    twitter_users:login(Server, User, #{resource => Resource, priority => Priority}).

%% Returns when the session has ended: by then it has told everybody.
leave(Server, Client) ->
    [Name, Host, Resource] = re:split(twitter_client:jid(Client), "[@/]", [{parts, 3}]),
    Session = twitter_server:call(Server, ejabberd_sm, get_session_pid, [Name, Host, Resource]),
    ok = twitter_client:close(Client),
    await_end(Server, Session).

await_end(Server, Session) ->
    case twitter_server:call(Server, erlang, is_process_alive, [Session]) of
        true -> await_end(Server, Session);
        false -> ok
    end.

take(_Server, _Users, {ask, Who, To, Type, Content, Expected}, Online, Last) ->
    Answer = twitter_client:request(maps:get(Who, Online), [
        <<"<iq type='">>, Type, $', [[<<" to='">>, To, $'] || To =/= none], $>, text(Content, Last),
        <<"</iq>">>
    ]),
    case binary_to_existing_atom(fxml:get_tag_attr_s(<<"type">>, Answer)) of
        Expected -> {Answer, Online};
        Other -> error({Other, Who, iolist_to_binary(text(Content, Last)), Answer})
    end;
take(_Server, _Users, {send, Who, Stanza}, Online, Last) ->
    ok = twitter_client:send(maps:get(Who, Online), Stanza),
    {Last, Online};
take(Server, _Users, {caps, Who, Features}, Online, Last) ->
    ok = twitter_caps:announce(Server, maps:get(Who, Online), Features),
    {Last, Online};
take(Server, Users, {login, Who, User, Resource}, Online, Last) ->
    {Last, Online#{Who => enter(Server, maps:get(User, Users), Resource, none)}};
take(Server, _Users, {logout, Who}, Online, Last) ->
    {Client, Others} = maps:take(Who, Online),
    ok = leave(Server, Client),
    {Last, Others}.

text(Content, Last) when is_function(Content) -> Content(Last);
text(Content, _Last) -> Content.

%% ejabberd does all of this in the sessions' own processes. One round of questions ends what
%% the step began, the next what the first one's stanzas made other sessions do.
settle(Clients) ->
    Rounds = [{Who, twitter_client:sync(Client)} || _ <- [1, 2, 3], {Who, Client} <- maps:to_list(Clients)],
    [{Who, lists:append(proplists:get_all_values(Who, Rounds))} || Who <- maps:keys(Clients)].

%%% Comparing

shown({ask, Who, To, Type, Content, Expected}) when is_function(Content) ->
    {ask, Who, To, Type, later, Expected};
shown({ask, Who, To, Type, Content, Expected}) ->
    {ask, Who, To, Type, iolist_to_binary(Content), Expected};
shown(Step) ->
    Step.

%% A stanza without the id of its request, random names and times.
plain(#xmlel{attrs = Attrs, children = Children} = Stanza) ->
    Text = fxml:element_to_binary(Stanza#xmlel{
        attrs = lists:keydelete(<<"id">>, 1, Attrs),
        children = [in_order(Child) || Child <- Children]
    }),
    lists:foldl(
        fun({Pattern, Replacement}, Rest) ->
            re:replace(Rest, Pattern, Replacement, [global, {return, binary}])
        end,
        Text,
        [
            {"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9:.]+Z", "TIME"},
            {"\\b[0-9A-F]{10,}\\b", "RANDOM"},
            {"urn:test:[0-9]+", "CLIENT"},
            {"ver='[^']+'", "VERSION"}
        ]
    );
plain(none) ->
    <<>>.

%% The nodes of a service come as the table has them.
in_order(
    #xmlel{name = <<"query">>, attrs = [{_, <<"http://jabber.org/protocol/disco#items">>}]} = Query
) ->
    Query#xmlel{children = lists:sort(Query#xmlel.children)};
in_order(Element) ->
    Element.

%% @doc The steps at which two transcripts differ.
-spec differences(transcript(), transcript()) -> [{step(), One :: term(), Other :: term()}].
differences(One, Other) ->
    [
        {Step, {Answer, Received}, {OtherAnswer, OtherReceived}}
     || {{Step, Answer, Received}, {Step, OtherAnswer, OtherReceived}} <- lists:zip(One, Other),
        {Answer, Received} =/= {OtherAnswer, OtherReceived}
    ].
