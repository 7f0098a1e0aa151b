%%% Modules are stopped, started, reloaded and killed while the server runs: nothing is lost, and
%%% the microblog is back as soon as its parts are. traces_SUITE is about what they leave behind.
-module(lifecycle_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("ejabberd/include/pubsub.hrl").

-export([all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    mod_twitter_stops_and_starts/1,
    mod_pubsub_stops_and_starts/1,
    a_changed_option_of_mod_pubsub/1,
    the_nodetree_changes_and_changes_back/1,
    mod_twitter_comes_before_its_nodetree/1,
    a_killed_service_is_started_again/1,
    a_killed_worker_is_started_again/1,
    what_a_killed_writer_has_stored_is_found/1,
    a_killed_supervisor_is_started_again/1,
    a_killed_mod_pubsub_is_started_again/1,
    a_service_that_keeps_crashing_comes_back/1
]).
%% Run in the server under test.
-export([store_and_end/2]).

-define(HOST, <<"localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).

all() ->
    [
        mod_twitter_stops_and_starts,
        mod_pubsub_stops_and_starts,
        a_changed_option_of_mod_pubsub,
        the_nodetree_changes_and_changes_back,
        mod_twitter_comes_before_its_nodetree,
        a_killed_service_is_started_again,
        a_killed_worker_is_started_again,
        what_a_killed_writer_has_stored_is_found,
        a_killed_supervisor_is_started_again,
        a_killed_mod_pubsub_is_started_again,
        a_service_that_keeps_crashing_comes_back
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_testcase(_Case, Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{twitter => #{}, pubsub => #{}}),
    ok = twitter_server:await_service(Server, ?HOST),
    [Alice, Bob] = twitter_cases:friends(Config, [<<"alice">>, <<"bob">>]),
    %% A post from before whatever happens.
    <<"before">> = twitter_requests:publish(Alice, <<"before">>, <<"Hello">>),
    [{clients, {Alice, Bob}} | Config].

end_per_testcase(_Case, _Config) ->
    ok.

%%% Cases

mod_twitter_stops_and_starts(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = clients(Config),
    lists:foreach(
        fun(_) ->
            ok = module(Server, stop_module, mod_twitter),
            refused = try_publish(Alice),
            false = lists:keymember(<<"/twitter">>, 1, twitter_reading:rows(Bob, <<>>)),
            {ok, _} = module(Server, start_module, mod_twitter),
            ok = is_whole(Config)
        end,
        [once, twice]
    ),
    ok = twitter_ordinary:check(Server).

mod_pubsub_stops_and_starts(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, _} = clients(Config),
    ok = module(Server, stop_module, mod_pubsub),
    refused = try_publish(Alice),
    {ok, _} = module(Server, start_module, mod_pubsub),
    ok = twitter_server:await_service(Server, ?HOST),
    ok = is_whole(Config),
    ok = twitter_ordinary:check(Server).

%% mod_pubsub cannot reload: ejabberd stops and starts it.
a_changed_option_of_mod_pubsub(Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{pubsub => #{max_items_node => 7}}),
    ok = twitter_server:await_service(Server, ?HOST),
    ok = is_whole(Config),
    %% Both at once.
    ok = twitter_server:reload(Server, #{pubsub => #{}, twitter => #{body => false}}),
    ok = twitter_server:await_service(Server, ?HOST),
    ok = is_whole(Config),
    ok = twitter_ordinary:check(Server).

the_nodetree_changes_and_changes_back(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = clients(Config),
    none = twitter_answers:refusal(
        twitter_requests:pubsub(Alice, set, [
            "<publish node='ordinary'><item id='1'><a xmlns='urn:a'/></item></publish>"
        ])
    ),
    none = twitter_answers:refusal(own_pep(Alice, set, [
        "<publish node='urn:b'><item id='1'><b xmlns='urn:b'/></item></publish>"
    ])),
    Others = fun() ->
        {
            twitter_reading:entries(Bob, <<"ordinary">>),
            fxml:get_path_s(own_pep(Alice, get, ["<items node='urn:b'/>"]), [{elem, <<"pubsub">>}])
        }
    end,
    Before = {[{_, <<"1">>, _}], #xmlel{}} = Others(),
    Length = byte_size(twitter_server:log(Server)),
    ok = twitter_server:reload(Server, #{pubsub => #{nodetree => tree}}),
    ok = twitter_server:await_service(Server, ?HOST),
    <<_:Length/binary, Log/binary>> = twitter_server:log(Server),
    same(Before, Others()),
    false = lists:keymember(<<"/twitter">>, 1, twitter_reading:rows(Bob, <<>>)),
    [] = [Row || {<<"/twitter/", _/binary>>, _} = Row <- twitter_reading:rows(Bob, <<>>)],
    ok = twitter_ordinary:check(Server),
    ok = twitter_server:reload(Server, #{pubsub => #{}}),
    ok = twitter_server:await_service(Server, ?HOST),
    ok = is_whole(Config),
    same(Before, Others()),
    %% The same lines that a start with such settings gives.
    {_, _} = binary:match(Log, <<"nodetree: twitter">>).

%% Half a configuration is mended while the server runs, in either order.
mod_twitter_comes_before_its_nodetree(Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{twitter => absent, pubsub => #{nodetree => tree}}),
    ok = twitter_ordinary:check(Server),
    ok = twitter_server:reload(Server, #{twitter => #{}}),
    ok = twitter_server:reload(Server, #{pubsub => #{}}),
    ok = twitter_server:await_service(Server, ?HOST),
    ok = is_whole(Config),
    ok = twitter_server:reload(Server, #{twitter => absent, pubsub => #{nodetree => tree}}),
    ok = twitter_server:reload(Server, #{pubsub => #{}}),
    ok = twitter_server:reload(Server, #{twitter => #{}}),
    ok = is_whole(Config),
    ok = twitter_server:reload(Server, #{twitter => absent, pubsub => #{nodetree => tree}}),
    ok = twitter_server:reload(Server, #{twitter => #{}, pubsub => #{}}),
    ok = twitter_server:await_service(Server, ?HOST),
    ok = is_whole(Config).

a_killed_service_is_started_again(Config) ->
    Server = twitter_cases:server(Config),
    Sup = process_name(Server, twitter_sup),
    {Id, Pid} = child(Server, Sup, fun(Id) -> Id =:= twitter_service end),
    kill(Server, Sup, Id, Pid),
    ok = is_whole(Config),
    ok = module(Server, stop_module, mod_twitter),
    {ok, _} = module(Server, start_module, mod_twitter),
    ok = is_whole(Config).

a_killed_worker_is_started_again(Config) ->
    Server = twitter_cases:server(Config),
    Sup = process_name(Server, twitter_sup),
    Others = [Child || {Id, _, _, _} = Child <- children(Server, Sup), Id =/= twitter_service],
    Workers = [{Pool, Child} || {_, Pool, supervisor, _} <- Others, Child <- children(Server, Pool)],
    true = Workers =/= [],
    %% The supervisors of workers come last, for with them go the workers.
    [ok = kill(Server, Pool, Id, Pid) || {Pool, {Id, Pid, _, _}} <- Workers],
    [ok = kill(Server, Sup, Id, Pid) || {Id, Pid, _, _} <- Others],
    ok = is_whole(Config).

%% It ends between the storage and the index, which has the author in memory.
what_a_killed_writer_has_stored_is_found(Config) ->
    Server = twitter_cases:server(Config),
    {Alice, Bob} = clients(Config),
    [<<"before">>] = twitter_reading:ids(Bob, ?FRIENDS),
    true = twitter_server:call(Server, code, add_patha, [filename:dirname(code:which(?MODULE))]),
    killed = twitter_server:call(Server, ?MODULE, store_and_end, [twitter_client:bare(Alice), <<"stored">>]),
    _ = twitter_requests:publish(Alice, <<"next">>, <<"Hello">>),
    [<<"before">>, <<"stored">>, <<"next">>] = twitter_reading:ids(Bob, ?FRIENDS),
    ok = is_whole(Config).

store_and_end(Author, Id) ->
    Host = <<"pubsub.localhost">>,
    {ok, Service} = twitter_service:find(Host),
    Stored = twitter_path:with_key(twitter_path:stored(Author)),
    #pubsub_node{id = Nidx} = mod_pubsub:tree_action(Host, get_node, [Host, Stored]),
    Payload = [fxml_stream:parse_element(<<"<a xmlns='urn:a'>Stored</a>">>)],
    Publish = fun(Flat) -> Flat:publish_item(Nidx, jid:decode(Author), publishers, 100, Id, Payload, []) end,
    Write = fun() ->
        case ejabberd_option:default_db() of
            sql -> {atomic, {result, _}} = ejabberd_sql:sql_transaction(<<"localhost">>, fun() -> Publish(node_flat_sql) end);
            mnesia -> {result, _} = mnesia:sync_dirty(fun() -> Publish(node_flat) end)
        end,
        exit(self(), kill)
    end,
    try
        twitter_writer:run(Service, Author, Write)
    catch
        exit:{killed, _} -> killed
    end.

%% With it go all processes of the vhost.
a_killed_supervisor_is_started_again(Config) ->
    Server = twitter_cases:server(Config),
    Sup = process_name(Server, twitter_sup),
    {Sup, Pid} = child(Server, ejabberd_gen_mod_sup, fun(Id) -> Id =:= Sup end),
    ok = kill(Server, ejabberd_gen_mod_sup, Sup, Pid),
    ok = is_whole(Config),
    ok = twitter_ordinary:check(Server).

a_killed_mod_pubsub_is_started_again(Config) ->
    Server = twitter_cases:server(Config),
    Sup = ejabberd_gen_mod_sup,
    Name = process_name(Server, mod_pubsub),
    {Id, Pid} = child(Server, Sup, fun(Id) -> Id =:= Name end),
    kill(Server, Sup, Id, Pid),
    ok = twitter_server:await_service(Server, ?HOST),
    ok = is_whole(Config),
    ok = twitter_ordinary:check(Server).

%% More crashes than a supervisor bears: then the next one above starts it all anew.
a_service_that_keeps_crashing_comes_back(Config) ->
    Server = twitter_cases:server(Config),
    Sup = process_name(Server, twitter_sup),
    {Sup, SupPid} = child(Server, ejabberd_gen_mod_sup, fun(Id) -> Id =:= Sup end),
    ok = crash_until_gone(Server, SupPid),
    ok = wait_for_another(Server, ejabberd_gen_mod_sup, Sup, SupPid, 10_000),
    ok = is_whole(Config),
    ok = twitter_ordinary:check(Server).

%% That one and no other: the next one has its name at once, and more crashes are more than ejabberd's own supervisor bears.
crash_until_gone(Server, SupPid) ->
    try
        {Id, Pid} = child(Server, SupPid, fun(Id) -> Id =:= twitter_service end),
        ok = kill(Server, SupPid, Id, Pid)
    of
        ok -> crash_until_gone(Server, SupPid)
    catch
        exit:{Reason, {gen_server, call, _}} when Reason =:= noproc; Reason =:= shutdown -> ok
    end.

%%% Is it all there?

%% The post from before is there, and a new one comes and stands after it.
is_whole(Config) ->
    {Alice, Bob} = clients(Config),
    Jid = twitter_client:bare(Alice),
    {Jid, <<"before">>, <<"Hello">>} = hd(twitter_reading:entries(Bob, ?FRIENDS)),
    _ = twitter_client:sync(Bob),
    Id = twitter_requests:publish(Alice, <<"Still here">>),
    #xmlel{} = twitter_client:expect(Bob, twitter_events:is_event(?FRIENDS, Id)),
    %% It comes once.
    ok = twitter_server:settle(twitter_cases:server(Config), <<"pubsub.localhost">>),
    ok = twitter_client:refute(Bob, twitter_events:is_event(?FRIENDS, Id)),
    {Jid, Id, <<"Still here">>} = lists:last(twitter_reading:entries(Bob, ?FRIENDS)),
    {Jid, Id, <<"Still here">>} = lists:last(twitter_reading:entries(Alice, ?MINE)),
    true = lists:keymember(<<"/twitter">>, 1, twitter_reading:rows(Bob, <<>>)),
    ok.

try_publish(Client) ->
    case twitter_answers:refusal(twitter_requests:pubsub(Client, set, [
        "<publish node='/twitter/MyStream'><item><a xmlns='urn:a'/></item></publish>"
    ])) of
        none -> published;
        _ -> refused
    end.

own_pep(Client, Type, Content) ->
    twitter_requests:pubsub({Client, twitter_client:bare(Client)}, Type, Content).

same(Expected, Expected) -> ok;
same(Expected, Found) -> error({different, Expected -- Found, Found -- Expected}).

%%% Processes

module(Server, Function, Module) ->
    twitter_server:call(Server, gen_mod, Function, [?HOST, Module]).

process_name(Server, Module) ->
    twitter_server:call(Server, gen_mod, get_module_proc, [?HOST, Module]).

children(Server, Sup) ->
    twitter_server:call(Server, supervisor, which_children, [Sup]).

child(Server, Sup, IsMeant) ->
    [Child] = [{Id, Pid} || {Id, Pid, _, _} <- children(Server, Sup), IsMeant(Id)],
    Child.

%% Returns when the supervisor has a new one; each question is answered by it in its turn.
kill(Server, Sup, Id, Pid) ->
    true = twitter_server:call(Server, erlang, exit, [Pid, kill]),
    wait_for_another(Server, Sup, Id, Pid, 10_000).

wait_for_another(Server, Sup, Id, Old, Tries) when Tries > 0 ->
    case child(Server, Sup, fun(Other) -> Other =:= Id end) of
        {Id, New} when is_pid(New), New =/= Old -> ok;
        _ -> wait_for_another(Server, Sup, Id, Old, Tries - 1)
    end.

%%% Helpers

clients(Config) ->
    proplists:get_value(clients, Config).
