%%% @doc Brings posts to the people who may see their author's presence. All posts of one author
%%% go through one worker, so they arrive in their order; the publisher waits for none of it.
%%%
%%% A worker serves its authors in turns, each for one portion of recipients. When the core says so it
%%% asks the author's roster again: who lost the right in the meantime does not get the post. A worker
%%% that is stopped first sends what it has.
%%%
%%% What it has is in {@link twitter_backlog}, and how far it has come with a post in the core. So a worker
%%% that is killed loses nothing: the next one goes on, and each session gets each post once. To other servers
%%% a post is owed from the moment the worker begins it: see {@link twitter_abroad}.
-module(twitter_fanout).
-behaviour(gen_server).

-include_lib("ejabberd/include/logger.hrl").
-include_lib("xmpp/include/xmpp.hrl").

-export([published/5, retracted/4, heard/6, wait/2, forget/2, drop/2, sync/1, start_link/3]).
-export([init/1, handle_call/3, handle_cast/2, handle_info/2, terminate/2]).
-export_type([post/0]).

%% How long a worker pauses when sessions do not keep up, and after how long without any progress it
%% concludes that they are gone.
-define(PAUSE_MS, 5).
-define(STALLED_MS, 1_000).
%% What a post that waits takes beside its own size, in bytes.
-define(OVERHEAD, 500).
%% So often a worker is killed over the same portion of a post before that is given up.
-define(MAX_KILLED, 3).

-type post() :: #{host := binary(), author := twitter_nif:jid(), publisher := jid:jid(),
                  what := twitter_event:what(), bytes := pos_integer(),
                  %% When the post was published, unless this is an edit; before which moment it was stored,
                  %% and after which. In microseconds since 1970.
                  at := non_neg_integer() | none, stored := non_neg_integer(), began := non_neg_integer(),
                  %% When the author's stream was changed so: of a post the moment that stands in storage.
                  version := non_neg_integer(),
                  %% When it was stored, by the clock of this node.
                  since => non_neg_integer(),
                  %% Of an author on another server: the service that sent it, and for whom it is.
                  from => binary(), readers => [twitter_nif:jid()] | {seq, pos_integer()},
                  %% By which node it is owed to other servers: the one that puts the author's changes in order.
                  owed_by := node()}.
%% An author's oldest post, what is sent of it, and to whom.
-record(sending, {key :: twitter_backlog:key(),
                  post :: post(),
                  delivery = none :: twitter_delivery:delivery() | none,
                  fanout :: twitter_nif:fanout() | none}).
-record(state, {server_host :: binary(),
                number :: pos_integer(),
                flow :: twitter_flow:flow(),
                table :: twitter_backlog:table(),
                %% Those who have posts; of some the oldest is being sent.
                authors = #{} :: #{twitter_nif:jid() => #sending{} | none},
                turns = queue:new() :: queue:queue(twitter_nif:jid()),
                %% Since when nothing has arrived, while too much is under way.
                stalled = none :: none | {Arrived :: integer(), SinceMs :: integer()},
                %% Who waits for the end of all.
                waiting = [] :: [gen_server:from()]}).

%% @doc A post was stored, after the moment `Began', that was first published at `At' and changed last at `Version': send it
%% to everybody entitled, and to the author's other resources.
-spec published(twitter_service:served(), Author :: twitter_nif:jid(), Publisher :: jid:jid(),
                twitter_event:what(), {Began :: non_neg_integer(), At :: non_neg_integer(),
                                       Version :: non_neg_integer()}) -> ok.
published(Service, Author, Publisher, Item, {Began, At, Version}) ->
    New = case At < Began of
              true -> none;
              false -> At
          end,
    hand_over(Service, Author, Publisher, Item, #{began => Began, at => New, version => Version}).

%% @doc Posts were deleted: tell the same people.
-spec retracted(twitter_service:served(), Author :: twitter_nif:jid(), Publisher :: jid:jid(),
                Ids :: [binary()]) -> ok.
retracted(Service, Author, Publisher, Ids) ->
    Now = twitter_unread:moment(),
    hand_over(Service, Author, Publisher, {retract, Ids}, #{began => Now, at => none, version => Now}).

%% @doc Something was heard of an author on another server, from that service: send it to these readers, or to
%% those who may see what has that number in his stream; but only to whom his own roster still lets see the
%% author when his turn comes. The times are those of {@link published/5}, `none' for what is no news.
-spec heard(twitter_service:served(), Author :: twitter_nif:jid(), From :: binary(), twitter_event:what(),
            {Began :: non_neg_integer(), At :: non_neg_integer() | none},
            Readers :: [twitter_nif:jid()] | {seq, pos_integer()}) -> ok.
heard(Service, Author, From, What, {Began, At}, Readers) ->
    hand_over(Service, Author, jid:make(From), What, #{began => Began, at => At, version => 0, from => From,
                                                          readers => Readers}).

%% @doc The account of an author was deleted: what waits of his posts is not sent. The name may be somebody
%% else's soon, with other friends. To be called in the author's {@link twitter_writer}.
-spec forget(twitter_service:served(), Author :: twitter_nif:jid()) -> ok.
forget(#{host := Host, server_host := ServerHost}, Author) ->
    ok = twitter_cluster:tell(ServerHost, {Host, Author}, {drop, Author}),
    drop(ServerHost, Author).

%% @doc The author's posts wait no longer on this node.
-spec drop(ServerHost :: binary(), Author :: twitter_nif:jid()) -> ok.
drop(ServerHost, Author) ->
    {Number, _Name} = twitter_pool:worker(?MODULE, ServerHost, Author),
    Dropped = twitter_backlog:take(twitter_backlog:name(ServerHost), Number, Author),
    case twitter_flow:find(ServerHost) of
        {ok, Flow} -> twitter_flow:leave(Flow, Number, lists:sum([Bytes || #{bytes := Bytes} <- Dropped]));
        error -> ok
    end.

%% To the worker here; those of other nodes serve the sessions there.
hand_over(#{host := Host, server_host := ServerHost}, Author, Publisher, What, Times) ->
    Post = Times#{host => Host, author => Author, publisher => Publisher, what => What,
                  stored => twitter_unread:moment(),
                  bytes => erlang:external_size(What) + ?OVERHEAD, owed_by => twitter_writer:owner(ServerHost, Author)},
    ok = twitter_cluster:tell(ServerHost, {Host, Author}, {post, Post}),
    wait(ServerHost, Post#{since => twitter_stats:clock()}).

%% @doc The post waits for its worker from now on, if there is room.
-spec wait(ServerHost :: binary(), post()) -> ok.
wait(ServerHost, #{author := Author, bytes := Bytes} = Post) ->
    {Number, Name} = twitter_pool:worker(?MODULE, ServerHost, Author),
    case twitter_flow:find(ServerHost) of
        {ok, Flow} ->
            case twitter_flow:enter(Flow, Number, Bytes) of
                full -> ok;
                ok -> wait(Name, twitter_backlog:put(twitter_backlog:name(ServerHost), Number, Post), Post)
            end;
        error ->
            wait(Name, error, Post)
    end.

%% Whoever is started as this worker later finds it by itself.
wait(Name, ok, #{author := Author}) ->
    case whereis(Name) of
        undefined ->
            ok;
        Worker ->
            Worker ! {waiting, Author},
            ok
    end;
wait(_Name, error, #{host := Host, author := Author}) ->
    %% The post is stored, and read later.
    ?WARNING_MSG("A post of ~ts at ~ts is not sent: there is nobody to send it", [Author, Host]).

%% @doc Returns when everything handed over before has been sent, if the host is served: for tests.
-spec sync(Host :: binary()) -> ok.
sync(Host) ->
    case twitter_service:find(Host) of
        {ok, #{server_host := ServerHost}} ->
            lists:foreach(fun(Worker) -> sync(Host, Worker) end, twitter_pool:workers(?MODULE, ServerHost)),
            twitter_links:sync(ServerHost);
        error ->
            ok
    end.

sync(Host, Worker) ->
    try
        gen_server:call(Worker, sync, infinity)
    catch
        %% It was killed: another one goes on, unless the plugin was stopped.
        exit:{_, {gen_server, call, _}} ->
            timer:sleep(?PAUSE_MS),
            case twitter_service:find(Host) of
                {ok, _} -> sync(Host, Worker);
                error -> ok
            end
    end.

-spec start_link(Name :: atom(), ServerHost :: binary(), Number :: pos_integer()) ->
          {ok, pid()} | {error, term()}.
start_link(Name, ServerHost, Number) ->
    gen_server:start_link({local, Name}, ?MODULE, {ServerHost, Number}, []).

%% @private
-spec init({binary(), pos_integer()}) -> {ok, #state{}}.
init({ServerHost, Number}) ->
    process_flag(trap_exit, true),
    %% Whoever waits for an answer comes first.
    process_flag(priority, low),
    {ok, Flow} = twitter_flow:find(ServerHost),
    State = #state{server_host = ServerHost, number = Number, flow = Flow,
                   table = twitter_backlog:name(ServerHost)},
    {ok, found(interrupted(State))}.

%% What another worker was killed over comes first. If that was more than chance it would kill this one too,
%% and the next: such a post is given up, for all others wait.
interrupted(#state{table = Table, number = Number} = State) ->
    case twitter_backlog:was_in_hand(Table, Number) of
        {_Key, #{author := Author}, Times} when Times < ?MAX_KILLED ->
            waits(Author, State);
        {Key, #{author := Author} = Post, Times} ->
            ?ERROR_MSG("A post of ~ts was not sent to all, for the worker that did so was killed ~b times. "
                       "It is stored, and found by reading", [Author, Times]),
            none = ended(Key, Post, State),
            State;
        none ->
            State
    end.

%% All whose posts are in the backlog have turns.
found(#state{table = Table, number = Number} = State) ->
    lists:foldl(fun waits/2, State, twitter_backlog:authors(Table, Number)).

%% @private
-spec handle_call(sync, gen_server:from(), #state{}) -> {reply, ok, #state{}} | {noreply, #state{}}.
handle_call(sync, From, State) ->
    case found(State) of
        #state{authors = Authors} = Idle when map_size(Authors) =:= 0 -> {reply, ok, Idle};
        #state{waiting = Waiting} = Busy -> {noreply, Busy#state{waiting = [From | Waiting]}}
    end.

%% @private
-spec handle_cast(term(), #state{}) -> {noreply, #state{}}.
handle_cast(_Message, State) ->
    {noreply, State}.

%% @private
-spec handle_info({waiting, twitter_nif:jid()} | turn | term(), #state{}) -> {noreply, #state{}}.
handle_info({waiting, Author}, State) ->
    {noreply, waits(Author, State)};
handle_info(turn, #state{flow = Flow} = State) ->
    case twitter_flow:is_open(Flow) of
        true ->
            Next = turn(State#state{stalled = none}),
            _ = [self() ! turn || map_size(Next#state.authors) > 0],
            {noreply, Next};
        {false, Arrived} ->
            _ = erlang:send_after(?PAUSE_MS, self(), turn),
            {noreply, stalled(Arrived, erlang:monotonic_time(millisecond), State)}
    end;
handle_info(_Message, State) ->
    {noreply, State}.

%% There is a message `turn' on its way while, and only while, there are authors.
waits(Author, #state{authors = Authors} = State) when is_map_key(Author, Authors) ->
    State;
waits(Author, #state{authors = Authors, turns = Turns} = State) ->
    _ = [self() ! turn || map_size(Authors) =:= 0],
    State#state{authors = Authors#{Author => none}, turns = queue:in(Author, Turns)}.

stalled(Arrived, Now, #state{flow = Flow, stalled = {Arrived, Since}} = State)
  when Now - Since >= ?STALLED_MS ->
    twitter_flow:forgive(Flow, Arrived),
    State#state{stalled = none};
stalled(Arrived, _Now, #state{stalled = {Arrived, _}} = State) ->
    State;
stalled(Arrived, Now, State) ->
    State#state{stalled = {Arrived, Now}}.

%% @private
-spec terminate(term(), #state{}) -> ok.
terminate(shutdown, #state{table = Table} = State) ->
    case twitter_backlog:exists(Table) of
        true -> finish(found(State));
        false -> ok
    end;
terminate(_Crash, _State) ->
    %% The next one goes on.
    ok.

finish(#state{authors = Authors}) when map_size(Authors) =:= 0 -> ok;
finish(State) -> finish(turn(State)).

%% The next author has his turn.
turn(#state{turns = Turns, authors = Authors, table = Table, number = Number} = State) ->
    {{value, Author}, Others} = queue:out(Turns),
    case oldest(Author, maps:get(Author, Authors), State) of
        #sending{key = Key} = Sending ->
            ok = twitter_backlog:in_hand(Table, Number, Key),
            Sent = portion(Sending, State),
            ok = twitter_backlog:out_of_hand(Table, Number),
            State#state{authors = Authors#{Author := Sent}, turns = queue:in(Author, Others)};
        none ->
            idle(State#state{authors = maps:remove(Author, Authors), turns = Others})
    end.

oldest(Author, none, #state{table = Table, number = Number}) ->
    case twitter_backlog:next(Table, Number, Author) of
        {Key, Post, Noted} -> #sending{key = Key, post = Post, fanout = Noted};
        none -> none
    end;
oldest(Author, #sending{key = Key} = Sending, #state{table = Table} = State) ->
    case twitter_backlog:waits(Table, Key) of
        true -> Sending;
        %% His account was deleted.
        false -> oldest(Author, none, State)
    end.

idle(#state{authors = Authors, waiting = Waiting, flow = Flow, number = Number, table = Table} = State)
  when map_size(Authors) =:= 0 ->
    IsIdle = fun() -> twitter_backlog:authors(Table, Number) =:= [] end,
    ok = twitter_flow:level(Flow, Number, IsIdle),
    lists:foreach(fun(From) -> gen_server:reply(From, ok) end, Waiting),
    State#state{waiting = []};
idle(State) ->
    State.

%% Sends a portion of a post. What fails for one, in whatever module is asked, must not cost those that wait.
portion(#sending{key = Key, post = #{author := Author} = Post} = Sending, State) ->
    try
        Begun = begun(Sending, State),
        case continued(Begun) of
            more -> Begun;
            done -> sent(Key, Post, State)
        end
    catch
        Class:Reason:Stacktrace ->
            ?ERROR_MSG("A post of ~ts was not sent to all:~n** ~ts",
                       [Author, misc:format_exception(2, Class, Reason, Stacktrace)]),
            ended(Key, Post, State)
    end.

sent(Key, #{since := Since} = Post, #state{server_host = ServerHost} = State) ->
    ok = twitter_stats:took(ServerHost, push, Since),
    ended(Key, Post, State);
sent(Key, Post, State) ->
    ended(Key, Post, State).

ended(Key, #{bytes := Bytes}, #state{flow = Flow, number = Number, table = Table}) ->
    _ = [ok = twitter_flow:leave(Flow, Number, Bytes) || twitter_backlog:delete(Table, Key)],
    none.

%% The author's own resources get it now; then those who stand on the note that the core makes.
begun(#sending{key = Key, post = Post, delivery = none, fanout = Noted} = Sending,
      #state{server_host = ServerHost, flow = Flow} = State) ->
    #{host := Host, author := Author, what := What} = Post,
    Way = mod_twitter_opt:delivery(ServerHost),
    Fanout = noted(Noted, Key, Post, State),
    Deliver = fun(About, Events) -> twitter_delivery:new(About#{author => Author}, Flow, Events, Way, Fanout) end,
    ok = to_own(Post, Deliver),
    ToFriends = Deliver(#{news => news(What), shown => twitter_catch_up:shown(Post)},
                        twitter_event:to_friends(maps:get(from, Post, Host), Author, What,
                                                 mod_twitter_opt:body(ServerHost))),
    Sending#sending{delivery = ToFriends, fanout = Fanout};
begun(Sending, _State) ->
    Sending.

to_own(#{readers := _}, _Deliver) ->
    %% He has none here.
    ok;
to_own(#{host := Host, author := Author, publisher := Publisher, what := What}, Deliver) ->
    ToOwn = Deliver(#{news => own, shown => none}, twitter_event:to_author(Host, Author, What)),
    twitter_delivery:to_own(ToOwn, Publisher, jid:decode(Author)).

news({item, _Id, _Payload}) -> post;
news({retract, _Ids}) -> retraction.

noted(none, Key, #{host := Host} = Post, #state{table = Table, server_host = ServerHost}) ->
    %% Nobody sees what a crash could take back; and it leaves the author's answer the first turn.
    _ = twitter_store:sync(Host),
    ok = twitter_watch:sync(),
    Fanout = recipients(Post),
    ok = owe(ServerHost, Post, Fanout),
    ok = twitter_backlog:begun(Table, Key, Fanout),
    Fanout;
noted(Fanout, _Key, Post, _State) ->
    %% Another worker had begun. Since then the roster may have changed.
    ok = twitter_nif:resume(Fanout),
    ok = twitter_watch:sync(),
    ok = recheck(Fanout, Post),
    Fanout.

%% Other servers get it when they can: see {@link twitter_link}. What was heard is not told any further.
owe(_ServerHost, #{readers := _}, _Fanout) ->
    ok;
owe(ServerHost, #{owed_by := Node} = Post, Fanout) when Node =:= node() ->
    twitter_abroad:owe(ServerHost, Post, twitter_nif:domains(Fanout));
owe(ServerHost, Post, _Fanout) ->
    twitter_abroad:is_owed_elsewhere(ServerHost, Post).

recipients(#{author := Author, readers := _} = Post) ->
    twitter_nif:recipients(Author, lines(Post), twitter_sessions:here(), ejabberd_option:hosts());
recipients(#{author := Author}) ->
    twitter_rights:recipients(jid:decode(Author)).

recheck(Fanout, #{readers := _} = Post) -> twitter_nif:recheck(Fanout, lines(Post));
recheck(Fanout, #{author := Author}) -> twitter_rights:recheck(Fanout, jid:decode(Author)).

%% Of an author elsewhere there is no roster, but it is known for whom his post is.
lines(Post) ->
    [{User, Server, <<>>, from}
     || Reader <- readers(Post), #jid{luser = User, lserver = Server} <- [twitter_roster:bare(Reader)]].

readers(#{host := Host, author := Author, readers := {seq, Seq}}) -> twitter_heard:readers(Host, Author, Seq);
readers(#{readers := Readers}) -> Readers.

continued(#sending{post = Post, delivery = Delivery, fanout = Fanout}) ->
    case twitter_nif:next_portion(Fanout, twitter_sessions:here()) of
        {portion, Recipients} ->
            ok = twitter_watch:sync(),
            ok = twitter_delivery:to_recipients(Delivery, entitled(Post, Recipients)),
            more;
        recheck ->
            ok = twitter_watch:sync(),
            ok = recheck(Fanout, Post),
            more;
        done ->
            done
    end.

%% Whether a reader wants to see somebody elsewhere his own roster says, whatever the author's server thinks.
entitled(#{author := Author, readers := _}, Recipients) ->
    Jid = twitter_roster:bare(Author),
    [To || {_, User, Server, _} = To <- Recipients, twitter_roster:sees(jid:make(User, Server), Jid)];
entitled(_Post, Recipients) ->
    Recipients.
