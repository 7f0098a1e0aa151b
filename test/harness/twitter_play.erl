%%% Plays what the model of test/model tells on a real server: each op by the stanzas that clients send,
%%% or by the functions that ejabberdctl runs. Returns when the server has done it.
-module(twitter_play).

-include_lib("fast_xml/include/fxml.hrl").

-export([new/1, clients/1, op/2, user/1, content/1]).
-export_type([play/0, session/0, op/0]).

-type name() :: binary().
-type session() :: {name(), Resource :: binary()}.
-type op() :: tuple().
-type payload() :: {text, binary()} | {entry, binary()} | {tune, binary(), binary()}.
-opaque play() :: #{server := twitter_server:server(), clients := #{session() => twitter_client:client()}}.

-define(HOST, <<"localhost">>).

%% @doc A server where nobody is yet.
-spec new(twitter_server:server()) -> play().
new(Server) ->
    #{server => Server, clients => #{}}.

%% @doc Who is connected.
-spec clients(play()) -> #{session() => twitter_client:client()}.
clients(#{clients := Clients}) ->
    Clients.

-spec user(name()) -> twitter_client:user().
user(Name) ->
    {Name, ?HOST}.

%% @doc What is published.
-spec content(payload()) -> twitter_requests:payload().
content({text, Text}) ->
    Text;
content({entry, Title}) ->
    element(<<"entry">>, <<"http://www.w3.org/2005/Atom">>, [{<<"title">>, Title}]);
content({tune, Artist, Title}) ->
    element(<<"tune">>, <<"http://jabber.org/protocol/tune">>, [{<<"artist">>, Artist}, {<<"title">>, Title}]).

element(Name, Namespace, Children) ->
    twitter_requests:el(Name, [{<<"xmlns">>, Namespace}], [
        twitter_requests:el(Child, [], [{xmlcdata, Text}])
     || {Child, Text} <- Children
    ]).

%% @doc Returns the condition, or `none', of each answer to a request to write.
-spec op(op(), play()) -> {[binary() | none], play()}.
op({publish, Session, Id, Payload}, Play) ->
    Content = case content(Payload) of
                  #xmlel{} = Element -> Element;
                  Text -> {xmlcdata, Text}
              end,
    write(pubsub, Session, <<"publish">>, [twitter_requests:el(<<"item">>, [{<<"id">>, Id}], [Content])], Play);
op({retract, Session, Id}, Play) ->
    write(pubsub, Session, <<"retract">>, [twitter_requests:el(<<"item">>, [{<<"id">>, Id}], [])], Play);
op({purge, Session}, Play) ->
    write(owner, Session, <<"purge">>, [], Play);
op({restart, Part, Ops}, Play) ->
    restart(Part, fun() -> op({several, Ops}, Play) end, Play);
op({burst, Ops}, #{server := Server} = Play) ->
    Workers = twitter_inside:workers(Server, twitter_fanout),
    ok = twitter_inside:suspend(Server, Workers),
    Result = op({several, Ops}, Play),
    ok = twitter_inside:resume(Server, Workers),
    Result;
op({several, Ops}, Play) ->
    {Answers, Last} = lists:mapfoldl(fun op/2, Play, Ops),
    {lists:append(Answers), Last};
op(Op, Play) ->
    {[], play(Op, Play)}.

write(Kind, Session, Action, Items, Play) ->
    Request = twitter_requests:el(Action, [{<<"node">>, <<"/twitter/MyStream">>}], Items),
    Answer = twitter_requests:Kind(client(Session, Play), set, [Request]),
    {[twitter_answers:refusal(Answer)], Play}.

%% By clients.
play({send, Session, Whom, Kind}, Play) ->
    tell(Session, [<<"<presence to='">>, jid(Whom), <<"' type='">>, Kind, <<"'/>">>], Play);
play({rename, Session, Contact, Name}, Play) ->
    Item = twitter_requests:el(<<"item">>, [{<<"jid">>, jid(Contact)}, {<<"name">>, Name}], []),
    Query = twitter_requests:el(<<"query">>, [{<<"xmlns">>, <<"jabber:iq:roster">>}], [Item]),
    Iq = twitter_requests:el(<<"iq">>, [{<<"type">>, <<"set">>}], [Query]),
    _ = twitter_answers:result(twitter_client:request(client(Session, Play), Iq)),
    Play;
play({remove, Session, Contact}, Play) ->
    ok = twitter_users:remove_contact(client(Session, Play), jid(Contact)),
    Play;
play({block, Session, Whom}, Play) ->
    ok = twitter_users:block(client(Session, Play), jid(Whom)),
    Play;
play({unblock, Session, Whom}, Play) ->
    ok = twitter_users:unblock(client(Session, Play), jid(Whom)),
    Play;
play({unblock_all, Session}, Play) ->
    Iq = <<"<iq type='set'><unblock xmlns='urn:xmpp:blocking'/></iq>">>,
    _ = twitter_answers:result(twitter_client:request(client(Session, Play), Iq)),
    Play;
play({appear, Session}, Play) ->
    tell(Session, <<"<presence/>">>, Play);
play({hide, Session}, Play) ->
    tell(Session, <<"<presence type='unavailable'/>">>, Play);
%% Whoever has the resource already is replaced.
play({login, {Name, Resource} = Session, Priority}, #{server := Server, clients := Clients} = Play) ->
    Former = [{Client, twitter_inside:session(Server, Client)} || Client <- maps:values(maps:with([Session], Clients))],
    Client = twitter_users:login(Server, user(Name), #{resource => Resource, priority => Priority}),
    lists:foreach(fun(One) -> ended(Server, One) end, Former),
    Play#{clients := Clients#{Session => Client}};
play({logout, Session}, #{server := Server, clients := Clients} = Play) ->
    {Client, Others} = maps:take(Session, Clients),
    Process = twitter_inside:session(Server, Client),
    ok = twitter_client:close(Client),
    ok = twitter_inside:await_end(Server, Process),
    Play#{clients := Others};
play({cut, Session}, #{server := Server, clients := Clients} = Play) ->
    {Client, Others} = maps:take(Session, Clients),
    Process = twitter_inside:session(Server, Client),
    ok = twitter_client:abort(Client),
    ok = twitter_inside:await_end(Server, Process),
    Play#{clients := Others};
%% By admins.
play({register, Name}, #{server := Server} = Play) ->
    _ = twitter_users:register(Server, Name, ?HOST),
    Play;
play({unregister, Name}, #{server := Server, clients := Clients} = Play) ->
    IsHis = fun({Who, _Resource}, _Client) -> Who =:= Name end,
    His = maps:values(maps:filter(IsHis, Clients)),
    Sessions = [{Client, twitter_inside:session(Server, Client)} || Client <- His],
    ok = twitter_users:unregister(Server, user(Name)),
    lists:foreach(fun(One) -> ended(Server, One) end, Sessions),
    Play#{clients := maps:without([Session || {Who, _} = Session <- maps:keys(Clients), Who =:= Name], Clients)};
play({set, Owner, Contact, Subscription, Name}, Play) ->
    Args = [Owner, ?HOST, Contact, ?HOST, Name, <<>>, atom_to_binary(Subscription)],
    ok = call(Play, mod_admin_extra, add_rosteritem, Args),
    Play;
play({delete, Owner, Contact}, Play) ->
    ok = call(Play, mod_admin_extra, delete_rosteritem, [Owner, ?HOST, Contact, ?HOST]),
    Play;
%% ejabberd's own caches do not hear of it.
play({erase, Owner, Contact}, Play) ->
    Names = [binary_to_list(jid(Who)) || Who <- [Owner, Contact]],
    [_] = call(Play, mod_roster, process_rosteritems, ["delete", "any", "any" | Names]),
    [ok = call(Play, ets_cache, clear, [Cache]) || Cache <- [roster_cache, roster_item_cache]],
    Play;
%% Accounts, rosters and blocks are in memory only for up to two seconds, which is ejabberd's business. (That
%% posts are not is shown by kill9_SUITE.)
play({reboot, How}, #{server := Server, clients := Clients} = Play) ->
    ok = twitter_stored:sync(Server),
    _ = [ok = twitter_server:kill9(Server) || How =:= killed],
    ok = twitter_server:restart(Server),
    lists:foreach(fun twitter_client:abort/1, maps:values(Clients)),
    Play#{clients := #{}}.

%% Of the server's parts.
restart(plugin, Meanwhile, Play) ->
    ok = call(Play, gen_mod, stop_module, [?HOST, mod_twitter]),
    Result = Meanwhile(),
    {ok, _} = call(Play, gen_mod, start_module, [?HOST, mod_twitter]),
    Result;
restart(pubsub, Meanwhile, #{server := Server} = Play) ->
    ok = call(Play, gen_mod, stop_module, [?HOST, mod_pubsub]),
    Result = Meanwhile(),
    {ok, _} = call(Play, gen_mod, start_module, [?HOST, mod_pubsub]),
    ok = twitter_server:await_service(Server, ?HOST),
    Result;
restart(Process, Meanwhile, #{server := Server} = Play) ->
    Name = call(Play, gen_mod, get_module_proc, [?HOST, Process]),
    ok = call(Play, sys, suspend, [twitter_sup_localhost]),
    Former = twitter_inside:kill(Server, Name),
    Result = Meanwhile(),
    ok = call(Play, sys, resume, [twitter_sup_localhost]),
    ok = twitter_inside:await_other(Server, Name, Former),
    Result.

%% The server has ended a session.
ended(Server, {Client, Process}) ->
    ok = twitter_inside:await_end(Server, Process),
    ok = twitter_client:abort(Client).

%% Without an answer of its own: that to a question asked after it comes after it.
tell(Session, Stanza, Play) ->
    Client = client(Session, Play),
    ok = twitter_client:send(Client, Stanza),
    Ping = <<"<iq type='get'><ping xmlns='urn:xmpp:ping'/></iq>">>,
    _ = twitter_answers:result(twitter_client:request(Client, Ping)),
    Play.

client(Session, #{clients := Clients}) ->
    maps:get(Session, Clients).

jid(Name) ->
    twitter_users:jid(user(Name)).

call(#{server := Server}, Module, Function, Args) ->
    twitter_server:call(Server, Module, Function, Args).
