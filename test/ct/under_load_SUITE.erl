%%% Modules and processes end while clients publish and read: every request is answered, what was
%%% acknowledged is stored and pushed, all of it in its order and once, and in the end everything works.
-module(under_load_SUITE).

-include_lib("fast_xml/include/fxml.hrl").
-include_lib("stdlib/include/assert.hrl").

-export([suite/0, all/0, init_per_suite/1, end_per_suite/1, init_per_testcase/2, end_per_testcase/2]).
-export([
    mod_twitter_is_restarted/1,
    mod_pubsub_is_restarted/1,
    the_configuration_is_reloaded/1,
    the_process_of_mod_pubsub_is_killed/1,
    each_process_is_killed_in_turn/1,
    every_writer_is_killed/1,
    no_error_was_logged/1
]).

-define(HOST, <<"localhost">>).
-define(MINE, <<"/twitter/MyStream">>).
-define(FRIENDS, <<"/twitter/FriendsStream">>).
-define(AUTHORS, 4).
%% So many results come before and after each disturbance.
-define(RESULTS, 30).

suite() ->
    [{timetrap, {seconds, 60}}].

all() ->
    [
        mod_twitter_is_restarted,
        mod_pubsub_is_restarted,
        the_configuration_is_reloaded,
        the_process_of_mod_pubsub_is_killed,
        each_process_is_killed_in_turn,
        every_writer_is_killed,
        no_error_was_logged
    ].

init_per_suite(Config) ->
    twitter_cases:start(Config).

end_per_suite(Config) ->
    twitter_cases:stop(Config).

init_per_testcase(_Case, Config) ->
    Server = twitter_cases:server(Config),
    ok = twitter_server:reload(Server, #{twitter => #{}, pubsub => #{}}),
    ok = twitter_server:await_service(Server, ?HOST),
    Config.

end_per_testcase(_Case, _Config) ->
    ok.

%%% Cases

mod_twitter_is_restarted(Config) ->
    disturbed(Config, lists:duplicate(3, fun(Server) ->
        ok = module(Server, stop_module, mod_twitter),
        {ok, _} = module(Server, start_module, mod_twitter)
    end)).

mod_pubsub_is_restarted(Config) ->
    disturbed(Config, lists:duplicate(3, fun(Server) ->
        ok = module(Server, stop_module, mod_pubsub),
        {ok, _} = module(Server, start_module, mod_pubsub)
    end)).

the_configuration_is_reloaded(Config) ->
    disturbed(Config, [
        fun(Server) -> [ok = twitter_server:reload(Server, Changes) || Changes <- Reloads] end
     || Reloads <- [
            [#{pubsub => #{max_items_node => 7}}],
            [#{pubsub => #{}, twitter => #{cache_size => 100_000, delivery => full}}],
            [#{twitter => absent}, #{twitter => #{}}]
        ]
    ]).

the_process_of_mod_pubsub_is_killed(Config) ->
    disturbed(Config, [fun(Server) -> killed(Server, process_name(Server, mod_pubsub)) end]).

%% With the service goes the index in memory.
each_process_is_killed_in_turn(Config) ->
    Ones = [twitter_service, twitter_sessions, twitter_watch, twitter_cluster],
    disturbed(
        Config,
        [fun(Server) -> killed(Server, process_name(Server, Module)) end || Module <- Ones] ++
            [fun(Server) -> pool_killed(Server, Pool) end || Pool <- [twitter_writer, twitter_fanout]] ++
            [fun(Server) -> [killed(Server, Name) || Name <- twitter_inside:workers(Server, twitter_fanout)] end]
    ).

every_writer_is_killed(Config) ->
    disturbed(Config, [
        fun(Server) -> [killed(Server, Name) || Name <- twitter_inside:workers(Server, twitter_writer)] end
    ]).

no_error_was_logged(Config) ->
    twitter_cases:no_error_but_of_killed_processes(Config).

%%% Disturbances

module(Server, Function, Module) ->
    twitter_server:call(Server, gen_mod, Function, [?HOST, Module]).

process_name(Server, Module) ->
    twitter_server:call(Server, gen_mod, get_module_proc, [?HOST, Module]).

killed(Server, Name) ->
    twitter_inside:await_other(Server, Name, twitter_inside:kill(Server, Name)).

%% The supervisor, and its workers with it.
pool_killed(Server, Pool) ->
    Children = twitter_server:call(Server, supervisor, which_children, [process_name(Server, twitter_sup)]),
    [Supervisor] = [Pid || {_, Pid, supervisor, [Module]} <- Children, Module =:= Pool],
    Workers = [
        {Name, twitter_server:call(Server, erlang, whereis, [Name])} || Name <- twitter_inside:workers(Server, Pool)
    ],
    true = twitter_server:call(Server, erlang, exit, [Supervisor, kill]),
    [ok = twitter_inside:await_other(Server, Name, Worker) || {Name, Worker} <- Workers].

%%% The load

disturbed(Config, Disturbances) ->
    Server = twitter_cases:server(Config),
    [Bob | Authors] = twitter_cases:friends(Config, [<<"bob">> | lists:duplicate(?AUTHORS, <<"alice">>)]),
    [Eve] = twitter_cases:strangers(Config, [<<"eve">>]),
    Phone = twitter_users:login(Server, twitter_cases:user(Bob)),
    Tell = self(),
    Writers = [spawn_link(fun() -> write(Author, Tell, 1, []) end) || Author <- Authors],
    Reader = spawn_link(fun() -> read(twitter_users:login(Server, twitter_cases:user(Bob)), Authors) end),
    lists:foreach(
        fun(Disturb) ->
            ok = await_results(?RESULTS),
            _ = Disturb(Server),
            ok = twitter_server:await_service(Server, ?HOST)
        end,
        Disturbances
    ),
    ok = await_results(?RESULTS),
    Logs = [{twitter_client:bare(Author), stopped(Writer)} || {Author, Writer} <- lists:zip(Authors, Writers)],
    ok = stopped(Reader),
    ok = no_results(),
    Stream = twitter_reading:stream(Bob, ?FRIENDS),
    Pushes = [twitter_events:posts(Server, Client) || Client <- [Bob, Phone]],
    lists:foreach(fun({Name, Log}) -> was_kept(twitter_server:storage(Server), Name, Log, {Stream, Pushes}) end, Logs),
    ?assertEqual([], twitter_events:posts(Server, Eve)),
    %% In memory stands what is stored.
    lists:foreach(fun({Name, _}) -> ok = twitter_cases:forget(Config, Name) end, Logs),
    ?assertEqual(Stream, twitter_reading:stream(Bob, ?FRIENDS)),
    ok = works(Server, hd(Authors), Bob, Eve),
    ok = twitter_ordinary:check(Server),
    [ok = twitter_client:close(Client) || Client <- [Bob, Phone, Eve | Authors]],
    ok.

%% What had a result is stored and was pushed. What had an error may have been; but nothing stands in two
%% places, in another order than that of publishing, or with another text. With SQL, the transaction of a writer that was
%% killed goes on beside that of the next one, so what had an error may come after the next post.
was_kept(Storage, Name, Log, {Stream, Pushes}) ->
    Published = [Id || {_, Id} <- Log],
    Acknowledged = [Id || {acknowledged, Id} <- Log],
    Stored = [Id || {Publisher, Id, Text} <- Stream, Publisher =:= Name, Text =:= text(Id)],
    ?assertEqual(Stored, [Id || {Publisher, Id, _} <- Stream, Publisher =:= Name]),
    InOrder = fun(Ids) when Storage =:= mnesia -> Ids; (Ids) -> [Id || Id <- Ids, lists:member(Id, Acknowledged)] end,
    ?assertEqual(lists:sort(Stored), lists:usort(Stored)),
    ?assertEqual(InOrder(Stored), InOrder([Id || Id <- Published, lists:member(Id, Stored)])),
    ?assertEqual([], Acknowledged -- Stored),
    [
        begin
            Pushed = [Id || {item, Publisher, Id, _} <- Posts, Publisher =:= Name],
            ?assertEqual(InOrder(Pushed), InOrder([Id || Id <- Stored, lists:member(Id, Pushed)])),
            ?assertEqual([], Acknowledged -- Pushed)
        end
     || Posts <- Pushes
    ].

works(Server, Alice, Bob, Eve) ->
    Id = twitter_requests:publish(Alice, <<"Still here">>),
    #xmlel{} = twitter_client:expect(Bob, twitter_events:is_event(?FRIENDS, Id)),
    ?assertEqual([], twitter_events:posts(Server, Eve)),
    ?assert(lists:member(Id, twitter_reading:ids(Alice, ?MINE))),
    ok.

%% Publishes one post after the other; returns what became of each.
write(Author, Tell, N, Log) ->
    receive
        {stop, From} -> From ! {stopped, self(), lists:reverse(Log)}
    after 0 ->
        Id = integer_to_binary(N),
        Answer = twitter_requests:pubsub(Author, set, [
            "<publish node='/twitter/MyStream'><item id='", Id, "'>", text(Id), "</item></publish>"
        ]),
        Outcome = case twitter_answers:refusal(Answer) of
                      none -> acknowledged;
                      _ -> refused
                  end,
        Tell ! Outcome,
        write(Author, Tell, N + 1, [{Outcome, Id} | Log])
    end.

text(Id) -> <<"Post ", Id/binary>>.

%% Reads one page after the other; each is that of friends, or a refusal.
read(Client, Authors) ->
    Names = [twitter_client:bare(Author) || Author <- Authors],
    read_pages(Client, Names).

read_pages(Client, Names) ->
    receive
        {stop, From} ->
            ok = twitter_client:close(Client),
            From ! {stopped, self(), ok}
    after 0 ->
        Answer = twitter_requests:items(Client, ?FRIENDS),
        case twitter_answers:refusal(Answer) of
            none ->
                Posts = twitter_answers:posts(Answer),
                ?assertEqual(length(Posts), length(lists:usort(Posts))),
                ?assertEqual([], [Name || {Name, _} <- Posts, not lists:member(Name, Names)]);
            _ ->
                ok
        end,
        _ = twitter_client:flush(Client),
        read_pages(Client, Names)
    end.

stopped(Process) ->
    Process ! {stop, self()},
    receive
        {stopped, Process, Result} -> Result
    end.

await_results(0) ->
    ok;
await_results(Count) ->
    receive
        acknowledged -> await_results(Count - 1);
        refused -> await_results(Count)
    end.

no_results() ->
    receive
        Outcome when Outcome =:= acknowledged; Outcome =:= refused -> no_results()
    after 0 -> ok
    end.
